/* One credential on its way through this process: in memory that is locked where the host lets us, and wiped.
 */
#pragma once

#include "base/err.h"
#include "base/slice.h"
#include "wire/secret.h"

enum { VALUE_ROOM_BYTES = SECRET_VALUE_MAX_BYTES + 2 }; /* and the end of its line */

struct value {
	char *bytes; /* owned */
	size_t len;
};

int value_init(struct value *value, struct err *err);
void value_done(struct value *value);
#define auto_value __attribute__((cleanup(value_done)))

static inline struct slice value_slice(const struct value *value)
{
	return slice_of(value->bytes, value->len);
}

/* -EFBIG where it is longer than a credential can be. */
int value_set(struct value *value, struct slice bytes);

/*
 * Reads to the end, at most limit_ms (negative: as long as it takes): -ETIME. More than the room: -EFBIG, and
 * the rest is not read.
 */
int value_read(struct value *value, int fd, int limit_ms);

/* The same; where nobody reads the pipe `listener` any more: -EPIPE. */
int value_read_for(struct value *value, int fd, int listener, int limit_ms);

/* Without the end of its line; then whether it can be a credential, with a sentence if not. */
int value_check(struct value *value, struct err *err);
