/*
 * Reading ahead in folders: who looks for one file of a folder often looks for its neighbours next. One
 * message tells of many of them, so the folder is read, on a thread of its own, and the kernel knows them
 * before it is asked. What it asks of the folder meanwhile is answered from the same message.
 */
#pragma once

#include "base/slice.h"

#include <stdint.h>

struct ahead;
struct fuse_in_header;

struct ahead_ops {
	/* The kernel's request has this answer, a struct fuse_entry_out. */
	void (*answer)(void *owner, uint64_t unique, struct slice entry);
	/* The kernel's request is to be sent after all. */
	void (*ask)(void *owner, uint64_t unique);
};

/* root is a view of the mount; it, ops and owner are borrowed for good. */
int ahead_new(int root, const struct ahead_ops *ops, void *owner, struct ahead **ret);

/* Readable when ahead_turn() has something to do. */
int ahead_fd(const struct ahead *ahead);
int ahead_turn(struct ahead *ahead);

/* The kernel asks. True where the answer comes later, through ops, and the request is not to be sent yet. */
bool ahead_asked(struct ahead *ahead, const struct fuse_in_header *head, struct slice message);

/* The host's answer to that request, which may be changed. */
void ahead_answered(struct ahead *ahead, const struct fuse_in_header *head, char *message, size_t len);
