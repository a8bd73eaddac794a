/*
 * The supervisor's end of a sandbox's vault: hands it the authority that the sandbox has had from its first
 * start on (a file in its folder, which nobody else reads), and gets the certificate that programs inside are
 * to trust.
 */
#pragma once

#include "supervisor/place.h"
#include "supervisor/role.h"

struct vault {
	struct role role;
	uv_loop_t *loop;
	const struct place *place;
	void (*on_certificate)(void *owner);
	void *owner;
	int file;               /* owned: what it is filling; -1 for nothing */
	bool is_new;            /* the authority is being made */
	bool has_failed;        /* there is none */
	struct buf certificate; /* PEM; empty before there is one */
};

/* Borrows place. on_certificate is called when there is one, for the first time or again. */
void vault_init(struct vault *vault, uv_loop_t *loop, const struct place *place,
		void (*on_certificate)(void *owner), void *owner);

/* It is there, for the first time or again, and knows nothing; takes its channel. */
void vault_on_role(struct vault *vault, pid_t pid, int *channel);
