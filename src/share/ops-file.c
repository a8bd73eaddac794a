#include "share/ops.h"
#include "share/owner.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>

/* What an open file may be told; the rest is the host's business. */
enum { OPEN_FLAGS = O_ACCMODE | O_APPEND | O_TRUNC | O_SYNC | O_DSYNC };

static bool is_change(uint32_t flags)
{
	return (flags & O_ACCMODE) != O_RDONLY || (flags & O_TRUNC);
}

static int answer_open(struct share *share, uint64_t inode, int fd, struct buf *out)
{
	struct fuse_open_out reply = {.open_flags = FOPEN_NOFLUSH};
	struct handle *handle;
	int r = handles_add(share->handles, inode, fd, NULL, &handle);

	if (r < 0)
		return r;
	reply.fh = handle->id;
	return share_append(out, &reply, sizeof(reply));
}

int op_open(struct share *share, struct request *request, struct buf *out)
{
	struct fuse_open_in in;
	struct inode *inode;
	int r = share_inode(share, request, 0, &inode);
	int fd;

	r = r < 0 ? r : request_take(request, &in, sizeof(in));
	if (r < 0)
		return r;
	if (share->is_read_only && is_change(in.flags))
		return -EROFS;
	if (inode->type != S_IFREG)
		return inode->type == S_IFDIR ? -EISDIR : -EPERM;
	fd = share_reopen(share, inode, (int)in.flags & OPEN_FLAGS);
	return fd < 0 ? fd : answer_open(share, inode->id, fd, out);
}

/* What is there already is opened as what it is. Gives the entry, counted, and the descriptor. */
static int open_existing(struct share *share, const struct inode *dir, const char *name, uint32_t flags,
			 struct fuse_entry_out *ret)
{
	const struct inode *inode;
	int r = share_look(share, dir, name, ret);
	int fd;

	if (r < 0)
		return r;
	inode = inodes_find(share->inodes, ret->nodeid);
	fd = inode->type == S_IFREG ? share_reopen(share, inode, (int)flags & OPEN_FLAGS) : -EEXIST;
	if (fd < 0)
		inodes_forget(share->inodes, ret->nodeid, 1);
	return fd;
}

static int create(struct share *share, const struct fuse_in_header *maker, const struct inode *dir,
		  const char *name, const struct fuse_create_in *in, struct fuse_entry_out *ret)
{
	int flags = O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC | ((int)in->flags & (OPEN_FLAGS & ~O_TRUNC));
	autofd int fd = openat(dir->fd, name, flags, share_mode(in->mode & ~in->umask));
	int r;

	if (fd < 0)
		return errno == EEXIST && !(in->flags & O_EXCL)
			       ? open_existing(share, dir, name, in->flags, ret)
			       : -errno;
	r = share_know_file(share, fd, ret);
	if (r < 0)
		return r;
	owner_begin(share, maker, ret);
	return steal_fd(&fd);
}

/* Takes fd, of a file that has just been made or found, whose entry has been counted. */
static int answer_create(struct share *share, const struct fuse_entry_out *entry, int fd, struct buf *out)
{
	int r = share_append(out, entry, sizeof(*entry));

	if (r < 0)
		close(fd);
	else
		r = answer_open(share, entry->nodeid, fd, out);
	if (r < 0)
		inodes_forget(share->inodes, entry->nodeid, 1);
	return r;
}

int op_create(struct share *share, struct request *request, struct buf *out)
{
	char name[REQUEST_NAME_BYTES];
	struct fuse_entry_out entry;
	struct fuse_create_in in;
	struct inode *dir;
	int r = share_inode(share, request, S_IFDIR, &dir);
	int fd;

	r = r < 0 ? r : request_take(request, &in, sizeof(in));
	r = r < 0 ? r : request_take_name(request, name);
	if (r < 0)
		return r;
	fd = create(share, &request->head, dir, name, &in, &entry);
	return fd < 0 ? fd : answer_create(share, &entry, fd, out);
}

/* A file without a name, which a LINK may give it one. */
int op_tmpfile(struct share *share, struct request *request, struct buf *out)
{
	struct fuse_entry_out entry;
	struct fuse_create_in in;
	struct inode *dir;
	char name[16];
	int r = share_inode(share, request, S_IFDIR, &dir);
	int fd;

	r = r < 0 ? r : request_take(request, &in, sizeof(in));
	if (r < 0)
		return r;
	if ((in.flags & O_ACCMODE) == O_RDONLY)
		return -EINVAL;
	snprintf(name, sizeof(name), "%d", dir->fd);
	fd = openat(share->proc_fds, name, O_TMPFILE | O_CLOEXEC | ((int)in.flags & (OPEN_FLAGS & ~O_TRUNC)),
		    share_mode(in.mode & ~in.umask));
	if (fd < 0)
		return -errno;
	r = share_know_file(share, fd, &entry);
	if (r < 0) {
		close(fd);
		return r;
	}
	owner_begin(share, &request->head, &entry);
	return answer_create(share, &entry, fd, out);
}

static int take_handle(struct share *share, const struct request *request, uint64_t id, struct handle **ret)
{
	*ret = handles_find(share->handles, id, request->head.nodeid);
	return *ret && !(*ret)->dir ? 0 : -EBADF;
}

int op_read(struct share *share, struct request *request, struct buf *out)
{
	struct fuse_read_in in;
	struct handle *handle;
	ssize_t count;
	char *space;
	int r = request_take(request, &in, sizeof(in));

	r = r < 0 ? r : take_handle(share, request, in.fh, &handle);
	if (r < 0)
		return r;
	if (in.size > REQUEST_DATA_MAX_BYTES || in.offset > INT64_MAX)
		return -EINVAL;
	space = buf_space(out, in.size + 1);
	if (!space)
		return -ENOMEM;
	count = pread(handle->fd, space, in.size, (off_t)in.offset);
	if (count < 0)
		return -errno;
	buf_grow(out, (size_t)count);
	return 0;
}

int op_write(struct share *share, struct request *request, struct buf *out)
{
	struct fuse_write_out reply = {0};
	struct fuse_write_in in;
	struct handle *handle;
	ssize_t count;
	int r = request_take(request, &in, sizeof(in));

	r = r < 0 ? r : take_handle(share, request, in.fh, &handle);
	if (r < 0)
		return r;
	if (request->body.len != in.size || in.offset > INT64_MAX)
		return -EINVAL;
	count = pwrite(handle->fd, request->body.ptr, in.size, (off_t)in.offset);
	if (count < 0)
		return -errno;
	reply.size = (uint32_t)count;
	return share_append(out, &reply, sizeof(reply));
}

int op_release(struct share *share, struct request *request, struct buf *out)
{
	struct fuse_release_in in;
	struct handle *handle;
	int r = request_take(request, &in, sizeof(in));

	(void)out;
	r = r < 0 ? r : take_handle(share, request, in.fh, &handle);
	if (r == 0)
		handles_remove(share->handles, in.fh);
	return r;
}

int op_flush(struct share *share, struct request *request, struct buf *out)
{
	(void)share, (void)request, (void)out;
	return -ENOSYS; /* and the guest asks no more: what was written is with the host's kernel already */
}

int op_fsync(struct share *share, struct request *request, struct buf *out)
{
	struct fuse_fsync_in in;
	struct handle *handle;
	int r = request_take(request, &in, sizeof(in));

	(void)out;
	r = r < 0 ? r : take_handle(share, request, in.fh, &handle);
	if (r < 0)
		return r;
	return ((in.fsync_flags & FUSE_FSYNC_FDATASYNC) ? fdatasync(handle->fd) : fsync(handle->fd)) < 0
		       ? -errno
		       : 0;
}

int op_fallocate(struct share *share, struct request *request, struct buf *out)
{
	struct fuse_fallocate_in in;
	struct handle *handle;
	int r = request_take(request, &in, sizeof(in));

	(void)out;
	r = r < 0 ? r : take_handle(share, request, in.fh, &handle);
	if (r < 0)
		return r;
	if (in.offset > INT64_MAX || in.length > INT64_MAX)
		return -EFBIG;
	return fallocate(handle->fd, (int)in.mode, (off_t)in.offset, (off_t)in.length) < 0 ? -errno : 0;
}

int op_lseek(struct share *share, struct request *request, struct buf *out)
{
	struct fuse_lseek_out reply;
	struct fuse_lseek_in in;
	struct handle *handle;
	off_t at;
	int r = request_take(request, &in, sizeof(in));

	r = r < 0 ? r : take_handle(share, request, in.fh, &handle);
	if (r < 0)
		return r;
	if ((in.whence != SEEK_DATA && in.whence != SEEK_HOLE) || in.offset > INT64_MAX)
		return -EINVAL;
	at = lseek(handle->fd, (off_t)in.offset, (int)in.whence);
	if (at < 0)
		return -errno;
	reply.offset = (uint64_t)at;
	return share_append(out, &reply, sizeof(reply));
}

int op_copy_file_range(struct share *share, struct request *request, struct buf *out)
{
	struct fuse_write_out reply = {0};
	struct fuse_copy_file_range_in in;
	const struct handle *into;
	struct handle *from;
	off_t from_at, into_at;
	ssize_t count;
	int r = request_take(request, &in, sizeof(in));

	r = r < 0 ? r : take_handle(share, request, in.fh_in, &from);
	if (r < 0)
		return r;
	into = handles_find(share->handles, in.fh_out, in.nodeid_out);
	if (!into || into->dir)
		return -EBADF;
	if (in.off_in > INT64_MAX || in.off_out > INT64_MAX || in.flags)
		return -EINVAL;
	from_at = (off_t)in.off_in;
	into_at = (off_t)in.off_out;
	count = copy_file_range(
		from->fd, &from_at, into->fd, &into_at,
		in.len < REQUEST_DATA_MAX_BYTES * 64ULL ? in.len : REQUEST_DATA_MAX_BYTES * 64ULL, 0);
	if (count < 0)
		return -errno;
	reply.size = (uint32_t)count;
	return share_append(out, &reply, sizeof(reply));
}
