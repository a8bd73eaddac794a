/*
 * Where a person sends names instead of to the addresses that they have: "NAME:PORT=ADDRESS:PORT", several
 * with commas between. The policy judges the name; the address is the person's word. Pure.
 */
#pragma once

#include "base/err.h"
#include "policy/host.h"

enum { REDIRECTS_MAX = 32, REDIRECTS_TEXT_MAX_BYTES = 16384 };

struct redirect {
	struct host from;
	uint16_t from_port;
	struct in6_addr to; /* an IPv4 address as ::ffff:a.b.c.d */
	uint16_t to_port;
};

struct redirects {
	struct redirect list[REDIRECTS_MAX];
	size_t count;
};

/* Reads all of the text or changes nothing; an empty one has none. -EINVAL or -E2BIG with a sentence. */
int redirects_parse(struct slice text, struct redirects *ret, struct err *err);

/* NULL where that goes where it is. */
const struct redirect *redirects_find(const struct redirects *redirects, const struct host *host,
				      uint16_t port);
