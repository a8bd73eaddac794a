/* What the parts of the server share. Each operation appends the answer's body, or gives a negative errno. */
#pragma once

#include "share/changed.h"
#include "share/guard.h"
#include "share/inode.h"
#include "share/job.h"
#include "share/listing.h"
#include "share/opened.h"
#include "share/reach.h"
#include "share/request.h"
#include "share/share.h"
#include "share/tell.h"
#include "share/watch.h"

struct share {
	struct inodes *inodes;
	struct reach reach;
	struct opened_list opened;
	struct listing listings[LISTINGS_MAX];
	size_t n_listings;
	uint64_t last_listing;
	struct changes *changes;
	struct watch *watch; /* NULL: changes on the host are not heard of */
	struct tell tell;
	struct pool *pool; /* NULL: everything is done at once */
	struct guard guard;
	struct slice message; /* the request that is being served */
	int proc_fds;         /* /proc/self/fd, to open files again by the descriptor that stands for them */
	uint32_t dev_major, dev_minor; /* of the root: other file systems below it are not entered */
	uint32_t uid, gid;             /* this process's */
	bool is_read_only, is_begun;
	bool is_openless; /* the guest opens files and folders without asking */
};

/* What an operation returns besides 0 and negative errnos: it is done by a thread, and answered when it is.
 */
enum { OP_LATER = SHARE_LATER };

typedef int share_op(struct share *share, struct request *request, struct buf *out);

/* ops-name.c */
share_op op_lookup, op_forget, op_batch_forget, op_mkdir, op_mknod, op_symlink, op_link, op_unlink, op_rmdir,
	op_rename, op_rename2, op_readlink;

/* ops-attr.c */
share_op op_getattr, op_setattr, op_statfs, op_access;

/* ops-xattr.c */
share_op op_getxattr, op_setxattr, op_listxattr, op_removexattr;

/* ops-file.c */
share_op op_open, op_create, op_tmpfile, op_release, op_flush;

/* ops-data.c */
share_op op_read, op_write, op_fsync, op_fsyncdir, op_fallocate, op_lseek, op_copy_file_range;

/* ops-dir.c */
share_op op_opendir, op_readdir, op_readdirplus, op_releasedir;

/* The inode that the request is about, of that type (0: any); -ESTALE, -ENOTDIR, -EINVAL. */
int share_inode(const struct share *share, const struct request *request, mode_t type, struct inode **ret);
struct inode *share_known(const struct share *share, uint64_t id);

/* The same for a folder, and its descriptor. */
int share_dir(struct share *share, const struct request *request, struct inode **ret_dir, int *ret_fd);

/* Looks a name up in a folder, and counts it. Appends a fuse_entry_out; maker: who has just made it, or NULL.
 */
int share_enter(struct share *share, struct inode *dir, const char *name, const struct fuse_in_header *maker,
		struct buf *out);
int share_look(struct share *share, struct inode *dir, const char *name, struct fuse_entry_out *ret);

/* The same for a file that is open and lies there (or, with name NULL, nowhere). */
int share_know_file(struct share *share, int file, struct inode *dir, const char *name,
		    struct fuse_entry_out *ret);

/* The attributes as the guest is to see them. */
void share_attr(struct share *share, struct inode *inode, const struct statx *info, struct fuse_attr *ret);

/* Neither set-user-ID nor set-group-ID ever reaches the host. */
static inline mode_t share_mode(uint32_t mode)
{
	return mode & 01777;
}

int share_append(struct buf *out, const void *bytes, size_t size);

/* Has a thread look for a file's names (links.h): -EINPROGRESS, and this request is served again after that.
 */
int share_search_later(struct share *share, uint64_t ino, int64_t born_ns, uint32_t n_links);
