#include "share/ops.h"
#include "share/owner.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

static bool is_change(uint32_t flags)
{
	return (flags & O_ACCMODE) != O_RDONLY || (flags & O_TRUNC);
}

/* There are no handles: files are found by their inodes, and whoever may open them has been judged inside. */
static int answer_open(struct buf *out)
{
	const struct fuse_open_out reply = {.open_flags = FOPEN_KEEP_CACHE | FOPEN_NOFLUSH};

	return share_append(out, &reply, sizeof(reply));
}

/* -ENOSYS: and from then on the guest opens everything by itself. */
int op_open(struct share *share, struct request *request, struct buf *out)
{
	struct fuse_open_in in;
	struct inode *inode;
	int r = share_inode(share, request, 0, &inode);

	r = r < 0 ? r : request_take(request, &in, sizeof(in));
	if (r < 0)
		return r;
	if (share->is_read_only && is_change(in.flags))
		return -EROFS;
	if (inode->type != S_IFREG)
		return inode->type == S_IFDIR ? -EISDIR : -EPERM;
	return share->is_openless ? -ENOSYS : answer_open(out);
}

/* ---- making files ---- */

/*
 * The guest did not know of it and has not judged whether it may be opened: its mode does, on the host. Gives
 * the entry, counted.
 */
static int find_existing(struct share *share, struct inode *dir, const char *name, uint32_t flags,
			 struct fuse_entry_out *ret)
{
	struct inode *inode;
	int r = share_look(share, dir, name, ret);
	int fd;

	if (r < 0)
		return r;
	inode = share_known(share, ret->nodeid);
	fd = inode->type != S_IFREG ? -EEXIST : is_change(flags) ? guard_write(share, inode) : 0;
	if (fd == 0)
		fd = reach_open(share, inode, (int)flags & (O_ACCMODE | O_TRUNC));
	if (fd < 0) {
		inodes_forget(share->inodes, ret->nodeid, 1);
		return fd;
	}
	if (flags & O_TRUNC) {
		ret->attr.size = ret->attr.blocks = 0;
		changed_modified(share, inode);
	}
	close(fd);
	return 0;
}

/* What has no name can be reached by its descriptor alone. */
static int keep_unnamed(struct share *share, int file, struct inode *inode)
{
	char name[16];
	int fd;

	snprintf(name, sizeof(name), "%d", file);
	fd = openat(share->proc_fds, name, O_PATH | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	reach_take(share, inode, fd);
	return 0;
}

/* Takes file, which the guest has just made. With a name it lies there. Gives the entry, counted. */
static int know_made(struct share *share, const struct fuse_in_header *maker, int file, struct inode *dir,
		     const char *name, struct fuse_entry_out *ret)
{
	struct inode *inode;
	int r = share_know_file(share, file, dir, name, ret);

	if (r < 0) {
		close(file);
		return r;
	}
	inode = share_known(share, ret->nodeid);
	r = name ? 0 : keep_unnamed(share, file, inode);
	if (r < 0)
		close(file);
	else
		r = opened_made(share, inode, file);
	if (r < 0)
		inodes_forget(share->inodes, ret->nodeid, 1);
	else
		owner_begin(share, maker, ret);
	return r;
}

static int make_known(struct share *share, const struct fuse_in_header *maker, int file, struct inode *dir,
		      const char *name, enum guard_place place, struct fuse_entry_out *ret)
{
	int r = know_made(share, maker, file, dir, name, ret);

	guard_made(share, dir, name);
	if (r == 0)
		share_known(share, ret->nodeid)->is_pointer = place == GUARD_POINTER;
	return r;
}

static int answer_create(struct share *share, const struct fuse_entry_out *entry, struct buf *out)
{
	int r = share_append(out, entry, sizeof(*entry));

	r = r < 0 ? r : answer_open(out);
	if (r < 0)
		inodes_forget(share->inodes, entry->nodeid, 1);
	return r;
}

int op_create(struct share *share, struct request *request, struct buf *out)
{
	static const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
	char name[REQUEST_NAME_BYTES];
	struct fuse_entry_out entry;
	struct fuse_create_in in;
	enum guard_place place;
	struct inode *dir;
	int dir_fd, fd, r = share_dir(share, request, &dir, &dir_fd);

	r = r < 0 ? r : request_take(request, &in, sizeof(in));
	r = r < 0 ? r : request_take_name(request, name);
	r = r < 0 ? r : guard_make(share, dir, name, ACT_CREATE, &place);
	if (r < 0)
		return r;
	fd = openat(dir_fd, name, flags, share_mode(in.mode & ~in.umask));
	if (fd >= 0) {
		changed_created(share, dir, name);
		r = make_known(share, &request->head, fd, dir, name, place, &entry);
	} else if (errno == EEXIST && !(in.flags & O_EXCL)) {
		r = find_existing(share, dir, name, in.flags, &entry);
	} else {
		r = -errno;
	}
	return r < 0 ? r : answer_create(share, &entry, out);
}

/* A file without a name, which a LINK may give it one. */
int op_tmpfile(struct share *share, struct request *request, struct buf *out)
{
	struct fuse_entry_out entry;
	struct fuse_create_in in;
	struct inode *dir;
	int dir_fd, fd, r = share_dir(share, request, &dir, &dir_fd);

	r = r < 0 ? r : request_take(request, &in, sizeof(in));
	if (r < 0)
		return r;
	if ((in.flags & O_ACCMODE) == O_RDONLY)
		return -EINVAL;
	fd = openat(dir_fd, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, share_mode(in.mode & ~in.umask));
	if (fd < 0)
		return -errno;
	r = know_made(share, &request->head, fd, NULL, NULL, &entry);
	return r < 0 ? r : answer_create(share, &entry, out);
}

/* Comes for files that were made. */
int op_release(struct share *share, struct request *request, struct buf *out)
{
	struct inode *inode;
	int r = share_inode(share, request, 0, &inode);

	(void)out;
	if (r == 0)
		opened_release(share, inode);
	return r;
}

int op_flush(struct share *share, struct request *request, struct buf *out)
{
	(void)share, (void)request, (void)out;
	return -ENOSYS; /* and the guest asks no more: what was written is with the host's kernel already */
}
