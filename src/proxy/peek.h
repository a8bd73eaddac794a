/*
 * What a connection is, told from the client's first bytes: a TLS handshake and the name that it asks for,
 * plain HTTP, or something else. Pure.
 */
#pragma once

#include "base/slice.h"

enum { PEEK_MAX_BYTES = 65536, PEEK_NAME_BYTES = 256 };

enum peek_kind {
	PEEK_TLS,
	PEEK_HTTP,
	PEEK_OTHER,
};

struct peek {
	enum peek_kind kind;
	/* Of TLS: the name in the handshake as it is there, empty where there is none. With encrypted client
	 * hello it is the outer one, which need not be the one that is meant. */
	char name[PEEK_NAME_BYTES];
	bool has_ech;
};

/* in is all that has come so far. PARSED_BAD: it begins like TLS and is not. */
enum parsed peek(struct slice in, struct peek *ret);
