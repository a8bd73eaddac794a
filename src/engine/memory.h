/* Answers that took time to find, each a small file in the cache that is valid for one key only. */
#pragma once

#include "base/paths.h"

#include <jansson.h>

enum { MEMORY_KEY_BYTES = 256 };

/* Gives what was kept in `file` under this key, or NULL. Ends with json_decref(). */
json_t *memory_recall(const struct paths *paths, const char *file, const char *key);

/* Takes value, which may be NULL. One that cannot be kept is found again the next time. */
void memory_keep(const struct paths *paths, const char *file, const char *key, json_t *value);
