#include "share/job.h"

#include "share/links.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/uio.h>

/* An append goes to the end as the host sees it, which may have moved since the guest has looked. */
static ssize_t write_bytes(const struct job *job)
{
	const struct iovec bytes = {.iov_base = job->bytes.data + job->bytes.start,
				    .iov_len = job->bytes.len};

	return pwritev2(job->fd, &bytes, 1, (off_t)job->at, job->flags);
}

static ssize_t read_bytes(struct job *job)
{
	char *space = buf_space(&job->bytes, job->len);
	ssize_t count = space ? pread(job->fd, space, job->len, (off_t)job->at) : 0;

	if (!space)
		errno = ENOMEM;
	if (count > 0)
		buf_grow(&job->bytes, (size_t)count);
	return space ? count : -1;
}

static ssize_t copy_bytes(const struct job *job)
{
	off_t from_at = (off_t)job->from_at, at = (off_t)job->at;

	return copy_file_range(job->from, &from_at, job->fd, &at, job->len, 0);
}

static int64_t run(struct job *job)
{
	switch (job->kind) {
	case JOB_READ:
		return read_bytes(job);
	case JOB_WRITE:
		return write_bytes(job);
	case JOB_SYNC:
		return fsync(job->fd);
	case JOB_SYNC_DATA:
		return fdatasync(job->fd);
	case JOB_ALLOCATE:
		return fallocate(job->fd, job->flags, (off_t)job->at, (off_t)job->len);
	case JOB_COPY:
		return copy_bytes(job);
	case JOB_SEARCH:
		return links_search(job->fd, job->at, job->len, &job->found);
	}
	return 0;
}

void job_run(struct job *job)
{
	job->result = run(job);
	if (job->result < 0 && job->kind != JOB_SEARCH)
		job->result = -errno;
}

int job_answer(struct job *job, struct buf *out)
{
	const struct fuse_write_out written = {.size = (uint32_t)job->result};

	if (job->result < 0)
		return (int)job->result;
	if (job->kind == JOB_WRITE || job->kind == JOB_COPY)
		return buf_append(out, slice_of(&written, sizeof(written)));
	return job->kind == JOB_READ
		       ? buf_append(out, slice_skip(buf_slice(&job->bytes), sizeof(struct fuse_out_header)))
		       : 0;
}
