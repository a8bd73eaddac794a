/* The initramfs of a template: the guest program as /init, and the modules that the template brings. */
#pragma once

#include "base/err.h"
#include "base/paths.h"

/*
 * Gives a read-only descriptor. Composed at the first call for this guest program and template id, then taken
 * from the cache. Borrows modules_fd, the template's modules.cpio.
 */
int initramfs_open(const struct paths *paths, const char *name, const char *template_id, int modules_fd,
		   struct err *err);
