#include "share/later.h"

#include "share/links.h"
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
	buf_done(&job->found);
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
	const struct links *links = &share->guard.links;

	return share->pool && (pool_count(share->pool) + links->n_waiting >= JOBS_MAX ||
			       pool_bytes(share->pool) + links->waiting_bytes >= JOBS_MAX_BYTES);
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

/* Takes the job, and serves the request that has waited for it. */
static int serve_again(struct share *share, struct job *job, struct buf *reply)
{
	int r = share_handle(share, buf_slice(&job->bytes), reply);

	later_free(share, job);
	return r < 0 ? r : r == SHARE_LATER ? 0 : 1;
}

/* 0: nothing was answered, but there may be more to collect. */
static int finish(struct share *share, struct job *job, struct buf *reply)
{
	int r;

	if (job->kind == JOB_SEARCH) {
		share->guard.links.is_searching = false;
		links_learn(share, job->at, job->born_ns, (uint32_t)job->len, job->result,
			    buf_slice(&job->found));
		return serve_again(share, job, reply);
	}
	r = answer(job, reply);
	later_free(share, job);
	return r;
}

static struct job *take_waiting(struct links *links)
{
	struct job *job = links->is_searching ? NULL : links->waiting;

	if (job) {
		links->waiting = job->next;
		links->n_waiting--;
		links->waiting_bytes -= job->bytes.len;
	}
	return job;
}

int share_collect(struct share *share, bool waits, struct buf *reply)
{
	for (;;) {
		struct job *waiting = take_waiting(&share->guard.links);
		struct job *job = waiting || !share->pool ? NULL
				  : waits                 ? pool_wait(share->pool)
							  : pool_take(share->pool);
		int r = waiting ? serve_again(share, waiting, reply) : job ? finish(share, job, reply) : 0;

		if (r != 0 || (!waiting && !job))
			return r;
	}
}

int share_search_later(struct share *share, uint64_t ino, int64_t born_ns, uint32_t n_links)
{
	const struct inode *root = inodes_find(share->inodes, INODE_ROOT);
	struct links *links = &share->guard.links;
	struct request request;
	struct job *job;

	request_open(share->message, &request);
	job = later_new(&request, JOB_SEARCH);
	if (!job || buf_append(&job->bytes, share->message) < 0) {
		if (job)
			later_free(share, job);
		return -ENOMEM;
	}
	if (links->is_searching) {
		job->next = links->waiting;
		links->waiting = job;
		links->n_waiting++;
		links->waiting_bytes += job->bytes.len;
		return -EINPROGRESS;
	}
	job->fd = root->fd;
	job->at = ino;
	job->len = n_links;
	job->born_ns = born_ns;
	links->is_searching = true;
	pool_push(share->pool, job);
	return -EINPROGRESS;
}
