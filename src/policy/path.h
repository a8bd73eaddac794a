/*
 * Paths of HTTP requests in the one form in which rules are compared with them. What a server could read as
 * another path (an encoded slash, dot segments, an empty segment, parameters behind ';') has none. Pure.
 */
#pragma once

#include "base/slice.h"

enum { PATH_TEXT_BYTES = 2048 };

/* Drops the query, decodes what needs no encoding. -EINVAL where there is no canonical form. */
int path_canonical(struct slice path, char ret[PATH_TEXT_BYTES]);

/* The same for a pattern: segments that are "*" stand for any one segment that is not empty, "**" for any
 * number. */
int path_pattern(struct slice pattern, char ret[PATH_TEXT_BYTES]);

/* Whether a canonical path fits a canonical pattern. is_lenient: or would for a server that ignores case, or
 * a slash at the end. */
bool path_matches(const char *pattern, const char *path, bool is_lenient);
