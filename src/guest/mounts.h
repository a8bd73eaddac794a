/* The file systems of the machine: what is mounted where, from the initramfs to the final root and back. */
#pragma once

#include "base/err.h"

/* /dev, /proc and /sys of the initramfs. */
int mounts_early(struct err *err);

/*
 * Waits for the disks, at most limit_ms for each, and makes the root: the template's images, read-only, under
 * the sandbox's own disk (overlayfs); Docker's folders directly on the sandbox's disk. Enters it and frees
 * the initramfs.
 */
int mounts_root(int limit_ms, struct err *err);

/* Everything that a Linux system expects to be mounted. */
int mounts_system(struct err *err);

/* Makes the disk quiet and read-only, so that it is clean when the power goes. */
void mounts_close(void);
