/* The resolver's sockets: queries by datagram and by connection, answered at once (answer.h). */
#pragma once

#include "guest/loop.h"
#include "guest/names.h"

struct resolver;

/* Takes both sockets, even when it fails: datagrams, and a listening one; non-blocking. Borrows loop and
 * names. */
int resolver_new(struct loop *loop, struct names *names, int udp, int tcp, struct resolver **ret);
void resolver_free(struct resolver *resolver);
