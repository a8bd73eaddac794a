/* A tunnel whose TLS ends here: the client gets a certificate of the sandbox's own authority. */
#pragma once

#include "proxy/tunnel.h"

/*
 * The tunnel's `in` begins with the client's handshake, and host is the one that it wants to see a
 * certificate of. done is called when the handshake is over, in a stage that does nothing; where the client
 * ends before, the tunnel goes.
 */
void inside_open(struct tunnel *tunnel, const struct host *host, unsigned protocols, bool prefers_http1,
		 void (*done)(struct tunnel *tunnel));
