/*
 * What new sandboxes start from: the saved state of a machine that has booted the template, has its Docker
 * engine up, and waits. One for each shape of a machine, made on first use and kept in the cache, on the
 * start shelf (supervisor/sandbox.h), under a name made of everything that it depends on.
 */
#pragma once

#include "base/paths.h"
#include "supervisor/sandbox.h"

enum { START_STATE_NAME_BYTES = 33 };

/* Finds it, or makes it, which takes half a minute and is said. Gives its name. */
int start_state_obtain(const struct paths *paths, const struct sandbox *shape,
		       char ret_name[START_STATE_NAME_BYTES], struct err *err);
