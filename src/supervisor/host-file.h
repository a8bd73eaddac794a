/*
 * A file of the host's whose content a role needs, and hears of again when it changes: resolv.conf, the store
 * of certificates, the policy. Its folder is watched, because such files are replaced and not written.
 */
#pragma once

#include "base/buf.h"

#include <limits.h>
#include <uv.h>

struct host_file {
	char path[PATH_MAX]; /* of the host's: without links in it, as far as it could be told */
	char folder[PATH_MAX];
	size_t max_bytes;
	bool is_own;
	uv_fs_event_t watch;
	struct buf last;
	int status; /* of reading it last: 0 or a negative errno */
	void (*on_change)(void *owner);
	void *owner;
};

/* Remembers where it is; before this process gives up reading everywhere. */
void host_file_find(struct host_file *file, const char *path, size_t max_bytes);

/* One of sbx's own, which the command line replaces: a link in its place is not followed (-ELOOP). */
void host_file_find_own(struct host_file *file, const char *path, size_t max_bytes);

/* on_change is called when its content, or whether it can be read, is not as it was read last. */
int host_file_watch(struct host_file *file, uv_loop_t *loop, void (*on_change)(void *owner), void *owner);

/* Reads it into file->last; one that cannot be read is empty then, and a negative errno is returned. */
int host_file_read(struct host_file *file);
