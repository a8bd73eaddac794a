#include "share/later.h"
#include "share/ops.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/uio.h>

/* Smaller writes are done faster than a thread is woken for them. */
enum { WRITE_AT_ONCE_MAX_BYTES = 64 << 10, COPY_MAX_BYTES = 64 << 20 };

/* ---- reading ---- */

/* What the host has in memory is there at once. True if that is all that there is to read. */
static bool read_at_once(int fd, const struct fuse_read_in *in, struct buf *out)
{
	size_t before = out->len;

	for (;;) {
		size_t done = out->len - before;
		struct iovec rest = {.iov_base = buf_space(out, in->size - done), .iov_len = in->size - done};
		ssize_t count = preadv2(fd, &rest, 1, (off_t)(in->offset + done), RWF_NOWAIT);

		if (count < 0)
			break;
		buf_grow(out, (size_t)count);
		if (count == 0 || (size_t)count == rest.iov_len)
			return true;
	}
	buf_cut(out, before);
	return false;
}

static int read_later(struct share *share, const struct request *request, const struct fuse_read_in *in,
		      struct opened *opened, struct buf *out)
{
	static const struct fuse_out_header no_head = {0};
	struct job *job = later_new(request, JOB_READ);

	if (!job)
		return -ENOMEM;
	if (share_append(&job->bytes, &no_head, sizeof(no_head)) < 0 || !buf_space(&job->bytes, in->size)) {
		later_free(share, job);
		return -ENOMEM;
	}
	job->fd = later_use(job, opened);
	job->at = in->offset;
	job->len = in->size;
	return later_start(share, job, out);
}

int op_read(struct share *share, struct request *request, struct buf *out)
{
	struct fuse_read_in in;
	struct opened *opened;
	struct inode *inode;
	int r = request_take(request, &in, sizeof(in));

	r = r < 0 ? r : share_inode(share, request, 0, &inode);
	if (r < 0)
		return r;
	if (in.size > REQUEST_DATA_MAX_BYTES || in.offset > INT64_MAX - REQUEST_DATA_MAX_BYTES)
		return -EINVAL;
	r = opened_get(share, inode, false, &opened);
	if (r < 0)
		return r;
	if (!buf_space(out, in.size))
		return -ENOMEM;
	return read_at_once(opened->fd, &in, out) ? 0 : read_later(share, request, &in, opened, out);
}

/* ---- writing ---- */

/* What is written again from the guest's cache has its place, whatever the file was opened for. */
static int write_flags(const struct fuse_write_in *in)
{
	return (in->flags & O_APPEND) && !(in->write_flags & FUSE_WRITE_CACHE) ? RWF_APPEND : 0;
}

static int write_at_once(int fd, const struct fuse_write_in *in, struct slice bytes, struct buf *out)
{
	const struct iovec all = {.iov_base = (void *)(uintptr_t)bytes.ptr, .iov_len = bytes.len};
	ssize_t count = pwritev2(fd, &all, 1, (off_t)in->offset, write_flags(in));
	const struct fuse_write_out reply = {.size = (uint32_t)count};

	return count < 0 ? -errno : share_append(out, &reply, sizeof(reply));
}

/* It is written as a whole, so that it never says what was not judged. */
static int begin_pointer(struct share *share, struct inode *inode, int fd, const struct fuse_write_in *in,
			 struct slice bytes)
{
	int r = guard_write_pointer(share, inode, in->offset, bytes);

	return r == 0 && ftruncate(fd, 0) < 0 ? -errno : r;
}

int op_write(struct share *share, struct request *request, struct buf *out)
{
	struct fuse_write_in in;
	struct opened *opened;
	struct inode *inode;
	struct job *job;
	int r = request_take(request, &in, sizeof(in));

	r = r < 0 ? r : share_inode(share, request, 0, &inode);
	if (r < 0)
		return r;
	if (request->body.len != in.size || in.offset > INT64_MAX - REQUEST_DATA_MAX_BYTES)
		return -EINVAL;
	r = opened_get(share, inode, true, &opened);
	if (r < 0)
		return r;
	if (inode->is_pointer)
		r = begin_pointer(share, inode, opened->fd, &in, request->body);
	if (r < 0)
		return r;
	changed_modified(share, inode);
	if (!share->pool || in.size <= WRITE_AT_ONCE_MAX_BYTES)
		return write_at_once(opened->fd, &in, request->body, out);
	job = later_new(request, JOB_WRITE);
	if (!job || buf_append(&job->bytes, request->body) < 0) {
		if (job)
			later_free(share, job);
		return -ENOMEM;
	}
	job->fd = later_use(job, opened);
	job->at = in.offset;
	job->flags = write_flags(&in);
	return later_start(share, job, out);
}

int op_fallocate(struct share *share, struct request *request, struct buf *out)
{
	struct fuse_fallocate_in in;
	struct opened *opened;
	struct inode *inode;
	struct job *job;
	int r = request_take(request, &in, sizeof(in));

	r = r < 0 ? r : share_inode(share, request, 0, &inode);
	if (r < 0)
		return r;
	if (in.offset > INT64_MAX || in.length > INT64_MAX)
		return -EFBIG;
	r = opened_get(share, inode, true, &opened);
	if (r < 0)
		return r;
	if (inode->is_pointer)
		return -EACCES;
	changed_modified(share, inode);
	job = later_new(request, JOB_ALLOCATE);
	if (!job)
		return -ENOMEM;
	job->fd = later_use(job, opened);
	job->at = in.offset;
	job->len = in.length;
	job->flags = (int)in.mode;
	return later_start(share, job, out);
}

static int copy(struct share *share, const struct request *request, const struct fuse_copy_file_range_in *in,
		struct opened *from, struct inode *into_inode, struct buf *out)
{
	struct job *job = later_new(request, JOB_COPY);
	struct opened *into;
	int r;

	if (!job)
		return -ENOMEM;
	job->from = later_use(job, from);
	r = opened_get(share, into_inode, true, &into);
	if (r == 0 && into_inode->is_pointer)
		r = -EACCES;
	if (r < 0) {
		later_free(share, job);
		return r;
	}
	job->fd = later_use(job, into);
	changed_modified(share, into_inode);
	job->from_at = in->off_in;
	job->at = in->off_out;
	job->len = in->len < COPY_MAX_BYTES ? in->len : COPY_MAX_BYTES;
	return later_start(share, job, out);
}

int op_copy_file_range(struct share *share, struct request *request, struct buf *out)
{
	struct fuse_copy_file_range_in in;
	struct inode *from_inode, *into_inode;
	struct opened *from;
	int r = request_take(request, &in, sizeof(in));

	r = r < 0 ? r : share_inode(share, request, 0, &from_inode);
	if (r < 0)
		return r;
	if (in.off_in > INT64_MAX || in.off_out > INT64_MAX || in.flags)
		return -EINVAL;
	into_inode = share_known(share, in.nodeid_out);
	if (!into_inode)
		return -ESTALE;
	r = opened_get(share, from_inode, false, &from);
	return r < 0 ? r : copy(share, request, &in, from, into_inode, out);
}

/* ---- the rest ---- */

static int sync_opened(struct share *share, const struct request *request, enum job_kind kind,
		       struct opened *opened, int own_fd, struct buf *out)
{
	struct job *job = later_new(request, kind);

	if (!job) {
		if (own_fd >= 0)
			close(own_fd);
		return -ENOMEM;
	}
	job->own_fd = own_fd;
	job->fd = opened ? later_use(job, opened) : own_fd;
	return later_start(share, job, out);
}

/* Any descriptor of the file will do; the one that it was written through is there most likely. */
int op_fsync(struct share *share, struct request *request, struct buf *out)
{
	struct fuse_fsync_in in;
	struct opened *opened;
	struct inode *inode;
	int r = request_take(request, &in, sizeof(in));

	r = r < 0 ? r : share_inode(share, request, 0, &inode);
	r = r < 0 ? r : opened_get(share, inode, inode->writing != NULL, &opened);
	if (r < 0)
		return r;
	return sync_opened(share, request, (in.fsync_flags & FUSE_FSYNC_FDATASYNC) ? JOB_SYNC_DATA : JOB_SYNC,
			   opened, -1, out);
}

int op_fsyncdir(struct share *share, struct request *request, struct buf *out)
{
	struct fuse_fsync_in in;
	struct inode *dir;
	int r = request_take(request, &in, sizeof(in));
	int fd;

	r = r < 0 ? r : share_inode(share, request, S_IFDIR, &dir);
	fd = r < 0 ? r : reach_open(share, dir, O_RDONLY | O_DIRECTORY);
	return fd < 0 ? fd : sync_opened(share, request, JOB_SYNC, NULL, fd, out);
}

int op_lseek(struct share *share, struct request *request, struct buf *out)
{
	struct fuse_lseek_out reply;
	struct fuse_lseek_in in;
	struct opened *opened;
	struct inode *inode;
	off_t at;
	int r = request_take(request, &in, sizeof(in));

	r = r < 0 ? r : share_inode(share, request, 0, &inode);
	if (r < 0)
		return r;
	if ((in.whence != SEEK_DATA && in.whence != SEEK_HOLE) || in.offset > INT64_MAX)
		return -EINVAL;
	r = opened_get(share, inode, false, &opened);
	if (r < 0)
		return r;
	at = lseek(opened->fd, (off_t)in.offset, (int)in.whence);
	if (at < 0)
		return -errno;
	reply.offset = (uint64_t)at;
	return share_append(out, &reply, sizeof(reply));
}
