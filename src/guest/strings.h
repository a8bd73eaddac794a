/* A growing NULL-ended list of strings with limits on count and bytes: what argv and envp are made of. */
#pragma once

#include "base/slice.h"

enum { STRINGS_MAX = 16384, STRINGS_SET_MAX = 4096, STRINGS_MAX_BYTES = 2 << 20 };

struct strings {
	char **items; /* owned, NULL-ended; NULL while empty */
	size_t count, room, bytes;
};

void strings_done(struct strings *strings);
#define auto_strings __attribute__((cleanup(strings_done)))

/* Appends a copy. -E2BIG past a limit, -EINVAL with a NUL inside. */
int strings_add(struct strings *strings, struct slice text);

/* As strings_add for "NAME=VALUE", which replaces an earlier one of the same name. -EINVAL without a name. */
int strings_set(struct strings *strings, struct slice assignment);
int strings_set_pair(struct strings *strings, const char *name, const char *value);

/* The value of NAME in a list of assignments, or NULL. */
const char *strings_value(const struct strings *strings, const char *name);
