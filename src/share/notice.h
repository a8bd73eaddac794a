/*
 * What the server tells the guest of its own accord (linux/fuse.h, wire/share.h), as whole messages. Each
 * appends one.
 */
#pragma once

#include "base/buf.h"

#include <stdint.h>

/* What the folder has under that name is not what it was. Waits for look-ups in that folder to end, also
 * where the kernel knows no such name, as it does not of an empty one. */
int notice_entry(struct buf *into, uint64_t folder, struct slice name);

/* The file has no such name any more. */
int notice_delete(struct buf *into, uint64_t folder, uint64_t file, struct slice name);

/* The attributes of it have changed; with has_content, what is in it too. */
int notice_inode(struct buf *into, uint64_t inode, bool has_content);

/* Those who watch the entry, or with an empty name the folder (or file) itself, are to be told. */
int notice_touch(struct buf *into, uint64_t folder, struct slice name);

/* Anything may have changed. */
int notice_drop(struct buf *into);
