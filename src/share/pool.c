#include "share/pool.h"

#include "base/mem.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>

enum { THREADS_MAX = 16, STACK_BYTES = 128 << 10 };

struct queue {
	struct job *first, **end;
};

struct pool {
	pthread_mutex_t mutex;
	pthread_cond_t has_work, has_done, has_begun;
	struct queue work, done; /* under the mutex, as the next two */
	unsigned n_begun;
	bool is_over;
	pthread_t threads[THREADS_MAX];
	unsigned n_threads, count;
	uint64_t bytes;
	int event;
};

static void queue_push(struct queue *queue, struct job *job)
{
	job->next = NULL;
	*queue->end = job;
	queue->end = &job->next;
}

static struct job *queue_pop(struct queue *queue)
{
	struct job *job = queue->first;

	if (!job)
		return NULL;
	queue->first = job->next;
	if (!queue->first)
		queue->end = &queue->first;
	return job;
}

static void *work(void *owner)
{
	struct pool *pool = owner;
	const uint64_t one = 1;
	struct job *job;

	pthread_mutex_lock(&pool->mutex);
	pool->n_begun++;
	pthread_cond_signal(&pool->has_begun);
	while (!pool->is_over) {
		job = queue_pop(&pool->work);
		if (!job) {
			pthread_cond_wait(&pool->has_work, &pool->mutex);
			continue;
		}
		pthread_mutex_unlock(&pool->mutex);
		job_run(job);
		pthread_mutex_lock(&pool->mutex);
		if (!pool->done.first)
			(void)!write(pool->event, &one, sizeof(one));
		queue_push(&pool->done, job);
		pthread_cond_signal(&pool->has_done);
	}
	pthread_mutex_unlock(&pool->mutex);
	return NULL;
}

int pool_fd(const struct pool *pool)
{
	return pool->event;
}

unsigned pool_count(const struct pool *pool)
{
	return pool->count;
}

uint64_t pool_bytes(const struct pool *pool)
{
	return pool->bytes;
}

void pool_push(struct pool *pool, struct job *job)
{
	pool->count++;
	pool->bytes += job->bytes.room;
	pthread_mutex_lock(&pool->mutex);
	queue_push(&pool->work, job);
	pthread_cond_signal(&pool->has_work);
	pthread_mutex_unlock(&pool->mutex);
}

static struct job *take(struct pool *pool, bool waits)
{
	uint64_t count;
	struct job *job;

	if (pool->count == 0)
		return NULL;
	pthread_mutex_lock(&pool->mutex);
	while (!(job = queue_pop(&pool->done)) && waits)
		pthread_cond_wait(&pool->has_done, &pool->mutex);
	if (!pool->done.first)
		(void)!read(pool->event, &count, sizeof(count));
	pthread_mutex_unlock(&pool->mutex);
	if (job) {
		pool->count--;
		pool->bytes -= job->bytes.room;
	}
	return job;
}

struct job *pool_take(struct pool *pool)
{
	return take(pool, false);
}

struct job *pool_wait(struct pool *pool)
{
	return take(pool, true);
}

/* Signals are for the thread that the process began with. */
static int start_threads(struct pool *pool, unsigned n_threads)
{
	pthread_attr_t attributes;
	sigset_t all, old;
	int r = pthread_attr_init(&attributes);

	if (r)
		return -r;
	sigfillset(&all);
	r = pthread_attr_setstacksize(&attributes, STACK_BYTES);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	while (r == 0 && pool->n_threads < n_threads && pool->n_threads < THREADS_MAX) {
		r = pthread_create(&pool->threads[pool->n_threads], &attributes, work, pool);
		pool->n_threads += r == 0;
	}
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attributes);
	pthread_mutex_lock(&pool->mutex);
	while (pool->n_begun < pool->n_threads)
		pthread_cond_wait(&pool->has_begun, &pool->mutex);
	pthread_mutex_unlock(&pool->mutex);
	return -r;
}

int pool_new(unsigned n_threads, struct pool **ret)
{
	struct pool *pool = calloc(1, sizeof(*pool));
	int r;

	if (!pool)
		return -ENOMEM;
	pthread_mutex_init(&pool->mutex, NULL);
	pthread_cond_init(&pool->has_work, NULL);
	pthread_cond_init(&pool->has_done, NULL);
	pthread_cond_init(&pool->has_begun, NULL);
	pool->work.end = &pool->work.first;
	pool->done.end = &pool->done.first;
	pool->event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	r = pool->event < 0 ? -errno : start_threads(pool, n_threads);
	if (r < 0)
		pool_free(pool);
	else
		*ret = pool;
	return r;
}

void pool_free(struct pool *pool)
{
	if (!pool)
		return;
	pthread_mutex_lock(&pool->mutex);
	pool->is_over = true;
	pthread_cond_broadcast(&pool->has_work);
	pthread_mutex_unlock(&pool->mutex);
	for (unsigned i = 0; i < pool->n_threads; i++)
		pthread_join(pool->threads[i], NULL);
	pthread_cond_destroy(&pool->has_work);
	pthread_cond_destroy(&pool->has_done);
	pthread_cond_destroy(&pool->has_begun);
	pthread_mutex_destroy(&pool->mutex);
	if (pool->event >= 0)
		close(pool->event);
	free(pool);
}
