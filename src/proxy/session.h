/*
 * The session with the guest on its network port: handshake, then HTTP/2 as the server. Each stream that the
 * guest opens with CONNECT is a tunnel. A guest that breaks the protocol gets a new handshake, and all of its
 * connections are gone. They are, too, when the engine closes its end: then the session is over for good.
 */
#pragma once

#include "proxy/proxy.h"

struct session;

struct session_ops {
	void (*on_ready)(unsigned version); /* the guest has answered */
	void (*on_failed)(int error);       /* a negative errno: it cannot go on */
};

/* Takes fd. Borrows ops. */
int session_new(struct proxy *proxy, int fd, const struct session_ops *ops, struct session **ret);
