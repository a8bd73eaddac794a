/* The text of resolv.conf(5): which servers are asked. Pure. */
#pragma once

#include "base/buf.h"

/*
 * Appends the servers, "[::1]:53,192.0.2.1:53": the first RESOLVER_SERVERS_MAX addresses that can be used
 * from here, or this machine's own where none is named. A port may be given: "192.0.2.1:5353", "[::1]:5353".
 */
enum { RESOLVER_SERVERS_MAX = 3 };
int resolver_servers(struct slice text, struct buf *ret);
