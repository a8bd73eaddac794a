/* A copy of a sandbox, or of a snapshot, under another name: what `fork`, `snapshot` and `run --snapshot` do.
 */
#pragma once

#include "base/paths.h"
#include "supervisor/sandbox.h"

/*
 * Copies the sandbox or snapshot `from`, running or not, to the new name. Where it runs, the copy continues
 * where it is. Gives the copy's description, and in *ret_is_running (may be NULL) whether the original runs.
 */
int copy_make(const struct paths *paths, enum shelf from_shelf, const char *from, enum shelf shelf,
	      const char *name, struct sandbox *ret, bool *ret_is_running, struct err *err);
