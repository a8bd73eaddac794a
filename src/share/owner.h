/*
 * Who owns a file, as the guest is to see it. Its own files are the guest's `agent`'s; what somebody in the
 * guest gives to somebody else (root, a container's user) is remembered beside the file, in an attribute of
 * the user name space, and never applied on the host.
 */
#pragma once

#include "share/ops.h"

/* Of the inode that statx tells this of. */
void owner_read(struct share *share, struct inode *inode, const struct statx *info, uint32_t *ret_uid,
		uint32_t *ret_gid);

/* Remembers it; where the file system or the kind of file has no room for that, it stays as it was: 0. */
int owner_write(struct share *share, struct inode *inode, uint32_t uid, uint32_t gid);

/* For a file that has just been made by that user of the guest's. */
void owner_begin(struct share *share, const struct fuse_in_header *maker, struct fuse_entry_out *entry);

/* True for the attribute itself, which the guest neither sees nor sets. */
bool owner_is_attribute(const char *name);
