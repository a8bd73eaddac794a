/*
 * The supervisor's end of a role's channel. The role is started by somebody else (keeper/keeper.h), and again
 * when it ends: then it is attached again.
 */
#pragma once

#include "wire/chan.h"

#include <sys/types.h>
#include <uv.h>

struct role_end;

struct role {
	/* *fd is -1 or a descriptor that is closed afterwards unless it is taken. Negative where it is
	 * nonsense: the role is not heard any more, and ends. */
	int (*on_message)(void *owner, const struct chan_message *message, int *fd);
	/* It has ended, or is not heard any more: what it was asked has no answer. May be NULL. */
	void (*on_gone)(void *owner);
	void *owner;
	struct role_end *end; /* NULL while there is none */
	pid_t pid;
};

/* Takes channel. What was attached before is let go. */
int role_attach(struct role *role, uv_loop_t *loop, int channel, pid_t pid);

/* fd is borrowed, -1 for none. -ENOTCONN while it does not run. */
int role_tell(const struct role *role, enum chan_kind kind, uint32_t id, uint32_t code, struct slice body,
	      int fd);
