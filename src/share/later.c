#include "share/later.h"

#include "share/ops.h"
#include "share/pool.h"

#include <errno.h>

enum { JOBS_MAX = 64, JOBS_MAX_BYTES = 32 << 20 };

void later_free(struct share *share, struct job *job)
{
	for (size_t i = 0; i < JOB_FDS; i++)
		if (job->opened[i])
			opened_put(share, job->opened[i]);
	if (job->own_fd >= 0)
		close(job->own_fd);
	buf_done(&job->bytes);
	free(job);
}

struct job *later_new(const struct request *request, enum job_kind kind)
{
	struct job *job = calloc(1, sizeof(*job));

	if (job) {
		job->kind = kind;
		job->unique = request->head.unique;
		job->own_fd = -1;
	}
	return job;
}

int later_use(struct job *job, struct opened *opened)
{
	job->opened[job->opened[0] ? 1 : 0] = opened;
	opened->n_jobs++;
	return opened->fd;
}

int later_start(struct share *share, struct job *job, struct buf *out)
{
	int r;

	if (share->pool) {
		pool_push(share->pool, job);
		return OP_LATER;
	}
	job_run(job);
	r = job_answer(job, out);
	later_free(share, job);
	return r;
}

bool share_is_busy(const struct share *share)
{
	return share->pool &&
	       (pool_count(share->pool) >= JOBS_MAX || pool_bytes(share->pool) >= JOBS_MAX_BYTES);
}

bool share_is_idle(const struct share *share)
{
	return !share->pool || pool_count(share->pool) == 0;
}

int share_wake_fd(const struct share *share)
{
	return share->pool ? pool_fd(share->pool) : -1;
}

int share_start_threads(struct share *share, unsigned n_threads)
{
	return pool_new(n_threads, &share->pool);
}

/* What was read lies behind room for the head, so that it need not be moved. */
static int answer(struct job *job, struct buf *reply)
{
	struct fuse_out_header head = {.unique = job->unique};
	size_t before = reply->len;
	int r = 0;

	if (job->kind == JOB_READ && job->result >= 0 && before == 0) {
		buf_done(reply);
		*reply = job->bytes;
		buf_init(&job->bytes);
	} else {
		r = share_append(reply, &head, sizeof(head));
		r = r < 0 ? r : job_answer(job, reply);
	}
	head.error = r < 0 ? r : 0;
	head.len = (uint32_t)(reply->len - before);
	if (reply->len < before + sizeof(head))
		return -ENOMEM;
	memcpy(reply->data + reply->start + before, &head, sizeof(head));
	return 1;
}

int share_collect(struct share *share, bool waits, struct buf *reply)
{
	struct job *job = !share->pool ? NULL : waits ? pool_wait(share->pool) : pool_take(share->pool);
	int r = job ? answer(job, reply) : 0;

	if (job)
		later_free(share, job);
	return r;
}
