/* Waiting for devices: the kernel tells of each one that it finds or names. */
#pragma once

/*
 * Calls find until it returns something else than -ENOENT, each time after the kernel has told of a change.
 * Returns what find returned, or -ETIME after limit_ms.
 */
int devices_wait(int (*find)(const char *name), const char *name, int limit_ms);
