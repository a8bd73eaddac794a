/* What the parts of the server share. Each operation appends the answer's body, or gives a negative errno. */
#pragma once

#include "share/handle.h"
#include "share/inode.h"
#include "share/request.h"
#include "share/share.h"

struct share {
	struct inodes *inodes;
	struct handles *handles;
	int proc_fds; /* /proc/self/fd, to open files again by the descriptor that stands for them */
	dev_t dev;    /* of the root: other file systems below it are not entered */
	bool is_read_only, is_begun;
};

typedef int share_op(struct share *share, struct request *request, struct buf *out);

/* ops-name.c */
share_op op_lookup, op_forget, op_batch_forget, op_mkdir, op_mknod, op_symlink, op_link, op_unlink, op_rmdir,
	op_rename, op_rename2, op_readlink;

/* ops-attr.c */
share_op op_getattr, op_setattr, op_statfs, op_access, op_getxattr, op_setxattr, op_listxattr, op_removexattr;

/* ops-file.c */
share_op op_open, op_create, op_tmpfile, op_read, op_write, op_release, op_flush, op_fsync, op_fallocate,
	op_lseek, op_copy_file_range;

/* ops-dir.c */
share_op op_opendir, op_readdir, op_readdirplus, op_releasedir, op_fsyncdir;

/* The inode that the request is about, of that type (0: any); -ESTALE, -ENOTDIR, -EINVAL. */
int share_inode(const struct share *share, const struct request *request, mode_t type, struct inode **ret);

/* Looks a name up in a folder, and counts it. Appends a fuse_entry_out; maker: who has just made it, or NULL.
 */
int share_enter(struct share *share, const struct inode *dir, const char *name,
		const struct fuse_in_header *maker, struct buf *out);
int share_look(struct share *share, const struct inode *dir, const char *name, struct fuse_entry_out *ret);

/* The same for a file that is open. */
int share_know_file(struct share *share, int file, struct fuse_entry_out *ret);

/* An O_PATH descriptor of what lies there: no link is followed, no other mount entered, nothing above
 * reached. */
int share_open_beneath(const struct inode *dir, const char *name);

/* The attributes as the guest is to see them. */
void share_attr(const struct share *share, int fd, const struct stat *info, struct fuse_attr *ret);

/* Opens the regular file that the inode stands for. Returns the descriptor or a negative errno. */
int share_reopen(const struct share *share, const struct inode *inode, int flags);

/* Neither set-user-ID nor set-group-ID ever reaches the host. */
static inline mode_t share_mode(uint32_t mode)
{
	return mode & 01777;
}

int share_append(struct buf *out, const void *bytes, size_t size);
