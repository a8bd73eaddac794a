/* Bytes that somebody else owns. Parsers take slices, allocate nothing and keep nothing. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct slice {
	const char *ptr;
	size_t len;
};

/* What a parser says of its input. */
enum parsed { PARSED_BAD = -1, PARSED_MORE = 0, PARSED_OK = 1 };

static inline struct slice slice_of(const void *ptr, size_t len)
{
	return (struct slice){ptr, len};
}

static inline struct slice slice_text(const char *text)
{
	return (struct slice){text, strlen(text)};
}

static inline struct slice slice_skip(struct slice slice, size_t count)
{
	return (struct slice){slice.ptr + count, slice.len - count};
}

static inline bool slice_is(struct slice slice, const char *text)
{
	return slice.len == strlen(text) && memcmp(slice.ptr, text, slice.len) == 0;
}
