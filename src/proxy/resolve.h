/*
 * Names to addresses, over DNS alone: no files, no search domains. Whoever asks has had the name allowed.
 */
#pragma once

#include "base/slice.h"

#include <netinet/in.h>
#include <uv.h>

enum { RESOLVE_ADDRESSES_MAX = 16 };

struct resolver;
struct lookup;

/* The addresses that were found, IPv4 as ::ffff:a.b.c.d; none: why is a sentence. Called once, never before
 * lookup_start() has returned, and not after lookup_cancel(). */
typedef void (*lookup_done)(void *owner, const struct in6_addr *addresses, size_t count, const char *why);

/* Reads files of the system: to be made before they are out of reach. Borrows loop. */
int resolver_new(uv_loop_t *loop, struct resolver **ret);

/* From now on asks the servers in that text of resolv.conf(5). Look-ups that are under way are asked anew. */
int resolver_configure(struct resolver *resolver, struct slice text);

/* How many addresses of the name are known still, from an answer that came lately; 0: it has to be looked up.
 */
size_t resolver_known(const struct resolver *resolver, const char *name,
		      struct in6_addr ret_addresses[RESOLVE_ADDRESSES_MAX]);

int lookup_start(struct resolver *resolver, const char *name, lookup_done done, void *owner,
		 struct lookup **ret);
void lookup_cancel(struct lookup *lookup);
