/*
 * Addresses that names have led to lately, for as long as the server of the names says and no longer than a
 * minute. There is one place for each name, by its hash: who comes later takes it. Whoever uses an address
 * judges it anew.
 */
#pragma once

#include "proxy/resolve.h"

enum { KNOWN_NAMES_MAX = 512, KNOWN_NAME_MAX_MS = 60000 };

struct known_name {
	char *name; /* owned; NULL: none */
	uint64_t until_ms;
	size_t count;
	struct in6_addr addresses[RESOLVE_ADDRESSES_MAX];
};

struct known_names {
	struct known_name *places[KNOWN_NAMES_MAX]; /* owned */
};

/* NULL where it is not known. What is given lives until the next call that changes the names. */
const struct known_name *known_names_find(const struct known_names *names, const char *name, uint64_t now_ms);

/* Without memory it is not kept. At most RESOLVE_ADDRESSES_MAX addresses; borrows them. */
void known_names_add(struct known_names *names, const char *name, const struct in6_addr *addresses,
		     size_t count, uint64_t now_ms, uint64_t for_ms);

void known_names_clear(struct known_names *names);
