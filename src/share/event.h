/*
 * What the host's kernel tells of files that are watched (fanotify(7), with handles in place of descriptors):
 * parsed from what a read() has given.
 */
#pragma once

#include "base/slice.h"

#include <stdint.h>

struct event {
	uint64_t mask; /* FAN_... */
	int32_t pid;   /* who has done it; 0: somebody whose number we may not know */
	uint64_t folder,
		file;      /* event_handle() of where it happened and of what it happened to; 0: not told */
	struct slice name; /* of the file in the folder; empty: the folder itself. A NUL follows. */
};

enum parsed event_parse(struct slice in, struct event *ret, size_t *ret_used);

/* A number for a file handle: the type that the kernel has given it, and its bytes. Never 0. */
uint64_t event_handle(int type, struct slice bytes);
