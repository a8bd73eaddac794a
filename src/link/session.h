/*
 * The session with the guest program on the control port: handshake, then HTTP/2 as the client. Everything
 * read here was written by the guest and is believed only as far as it was checked.
 */
#pragma once

#include "wire/handler.h"

#include <uv.h>

struct session;

struct session_ops {
	/* The guest has answered: requests may be made. */
	void (*on_ready)(void *owner, unsigned version);
	/* The session cannot go on; why is for a person. is_port_closed: the engine itself has closed its
	 * end. */
	void (*on_lost)(void *owner, const char *why, bool is_port_closed);
};

/* Borrows fd and ops; both must outlive the loop. Begins the handshake. */
int session_start(uv_loop_t *loop, int fd, const struct session_ops *ops, void *owner, struct session **ret);

/* The HTTP/2 session, or NULL before the guest has answered. */
struct h2 *session_h2(struct session *session);

/* Something was queued on a stream: write it out at the end of this turn of the loop. */
void session_flush(struct session *session);
