/*
 * What can be made again: the start states, initramfs files of other builds, logs of starts that failed. Kept
 * below a limit by removing what was used longest ago. What is in use stays.
 */
#pragma once

#include "base/paths.h"

#include <stdbool.h>
#include <stdint.h>

/* Removes start states until the others are below the limit ($SBX_CACHE_LIMIT, default 16g). keep stays. */
void cache_trim(const struct paths *paths, const char *keep);

/* Removes all that is not in use; with everything also what the next start would use. Gives what was freed.
 */
int cache_prune(const struct paths *paths, bool everything, uint64_t *ret_bytes, struct err *err);
