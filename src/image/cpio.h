/*
 * Writes "newc" cpio archives, the form in which the Linux kernel takes an initramfs. Pure: everything goes
 * into a buffer, everything belongs to root, times are zero, so equal content gives equal bytes.
 */
#pragma once

#include "base/buf.h"

#include <sys/types.h>

/* Names have no leading slash; parents come before children. */
int cpio_add_dir(struct buf *into, const char *name, mode_t mode);
int cpio_add_file(struct buf *into, const char *name, mode_t mode, struct slice content);
int cpio_add_char_device(struct buf *into, const char *name, mode_t mode, unsigned int major,
			 unsigned int minor);

/* Ends the archive and pads it, so that another one may follow. */
int cpio_end(struct buf *into);
