/*
 * The credentials that one sandbox may use. Values lie in memory that is locked, fenced and wiped; what else
 * there is to know of them is ordinary text.
 *
 * Each belongs to the feed that brought it last: one with a higher number takes it over, and what an older
 * one says of it from then on is passed over.
 */
#pragma once

#include "base/buf.h"
#include "wire/secret.h"

struct secrets;

/* NULL where there is no memory. */
struct secrets *secrets_new(void);
void secrets_free(struct secrets *secrets);

/*
 * Applies all bindings of the text. -EINVAL with a sentence that holds no value, and nothing is applied;
 * -E2BIG or -ENOMEM, and the first of them are. What it does not name stays as it is.
 */
int secrets_update(struct secrets *secrets, unsigned feed, struct slice text, struct err *err);

/* Whether anything would change if that feed said something. */
bool secrets_hears(const struct secrets *secrets, unsigned feed);

/* Appends every binding that has a value, without it. */
int secrets_describe(const struct secrets *secrets, struct buf *into);

/*
 * Appends the header's value for one request of that service to that host (canonical) and port: secret.
 * -ENOENT where there is none, -EACCES where the service is not bound to the host.
 */
int secrets_reveal(const struct secrets *secrets, struct slice service, struct slice host, uint16_t port,
		   struct buf *into);
