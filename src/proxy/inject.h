/*
 * Which credential goes into a request, and which must not be in it: bindings of services to hosts
 * (wire/secret.h), without values. Pure, but for the memory that holds them.
 */
#pragma once

#include "policy/host.h"
#include "proxy/http1.h"
#include "wire/secret.h"

struct inject {
	struct buf text;
	struct secret_binding *bindings; /* owned; they point into text */
	size_t count;
};

/* Takes over a new text, whole or not at all: -EINVAL, -E2BIG. */
int inject_set(struct inject *inject, struct slice text);
void inject_done(struct inject *inject);

/* Where credentials go, TLS has to be opened. */
bool inject_is_bound(const struct inject *inject, const struct host *host, uint16_t port);

/* Whether that service is there, and bound to that host. */
bool inject_has(const struct inject *inject, const char *service, const struct host *host, uint16_t port);

struct injection {
	char service[SECRET_SERVICE_MAX_BYTES + 1]; /* empty: nothing is put in */
	char header[SECRET_HEADER_MAX_BYTES + 1];
	bool has_removed; /* a credential that is none of ours */
};

/*
 * What goes to a host is the service's credential and no other: takes out of the head what else could be one,
 * and says what has to be put in. Where the target's query holds one, *ret_target is what is left, in `into`.
 */
int inject_request(const struct inject *inject, const struct host *host, uint16_t port,
		   struct http1_head *head, struct buf *into, struct slice *ret_target,
		   struct injection *ret);

/*
 * Whether a placeholder is in the head that does not belong to that host: as it is, percent-encoded, or in
 * what "Basic" encodes (RFC 7617).
 */
bool inject_leaks(const struct inject *inject, const struct host *host, uint16_t port,
		  const struct http1_head *head);

/* The same for a body, piece by piece. All zero is its beginning. */
struct inject_scan {
	char tail[SECRET_PLACEHOLDER_MAX_BYTES];
	size_t len;
};
bool inject_scan(const struct inject *inject, const struct host *host, uint16_t port,
		 struct inject_scan *scan, struct slice piece);
