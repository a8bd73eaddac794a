/* The initramfs of a template: the guest program as /init, and the modules that the template brings. */
#pragma once

#include "base/err.h"
#include "base/paths.h"

enum { INITRAMFS_ID_BYTES = 33 };

/*
 * Gives a read-only descriptor. Composed at the first call for this guest program and template id, then taken
 * from the cache. Borrows modules_fd, the template's modules.cpio. ret_id names the content.
 */
int initramfs_open(const struct paths *paths, const char *name, const char *template_id, int modules_fd,
		   char ret_id[INITRAMFS_ID_BYTES], struct err *err);
