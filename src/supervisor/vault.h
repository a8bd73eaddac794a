/*
 * The supervisor's end of a sandbox's vault: hands it the authority that the sandbox has had from its first
 * start on (a file in its folder, which nobody else reads), and gets the certificate that programs inside are
 * to trust. Hands it pipes from the store, and hears which credentials there are.
 */
#pragma once

#include "supervisor/place.h"
#include "supervisor/role.h"

struct vault_ops {
	/* There is one, for the first time or again. */
	void (*on_certificate)(void *owner);
	/* What there is, or is lost, has changed: vault->bindings. */
	void (*on_secrets)(void *owner);
	/* What was fed with that id has been taken, or error says why not. */
	void (*on_fed)(void *owner, uint32_t id, const char *error);
	/* It has ended: what it was fed last may not have been taken, and on_fed does not follow. */
	void (*on_gone)(void *owner);
};

struct vault {
	struct role role;
	uv_loop_t *loop;
	const struct place *place;
	const struct vault_ops *ops;
	void *owner;
	int file;               /* owned: what it is filling; -1 for nothing */
	bool is_new;            /* the authority is being made */
	bool has_failed;        /* there is none */
	struct buf certificate; /* PEM; empty before there is one */
	struct buf
		bindings; /* credentials that there are, without values (wire/secret.h); then the lost ones */
	struct buf lost;  /* that a vault which has ended had, and this one was not given yet */
	bool is_fed;      /* was given something */
	bool is_bare;     /* it is to be given all there are: one that has ended had some */
};

/* Borrows place, ops and owner. */
void vault_init(struct vault *vault, uv_loop_t *loop, const struct place *place, const struct vault_ops *ops,
		void *owner);

/* It is there, for the first time or again, and knows nothing; takes its channel. */
void vault_on_role(struct vault *vault, pid_t pid, int *channel);

/* Hands it a pipe from the store, borrowed, of which nothing is read here; on_fed follows, with that id. */
int vault_feed(struct vault *vault, uint32_t id, int pipe);

/* It was given all there are: what is still lost is gone. */
void vault_forget_lost(struct vault *vault);
