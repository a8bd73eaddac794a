#include "guest/worker.h"

#include "base/mem.h"

#include <errno.h>
#include <pthread.h>

enum { ITEMS_MAX = 8192, STACK_BYTES = 256 << 10 };

struct item {
	struct item *next;
	size_t len;
	char bytes[];
};

struct worker {
	pthread_mutex_t lock;
	pthread_cond_t filled;
	struct item *first, **end;
	unsigned count;
	void (*work)(void *owner, struct slice item);
	void *owner;
};

static struct item *take(struct worker *worker)
{
	struct item *item;

	pthread_mutex_lock(&worker->lock);
	while (!worker->first)
		pthread_cond_wait(&worker->filled, &worker->lock);
	item = worker->first;
	worker->first = item->next;
	if (!worker->first)
		worker->end = &worker->first;
	worker->count--;
	pthread_mutex_unlock(&worker->lock);
	return item;
}

static void *run(void *data)
{
	struct worker *worker = data;

	for (;;) {
		struct item *item = take(worker);

		worker->work(worker->owner, slice_of(item->bytes, item->len));
		free(item);
	}
	return NULL;
}

static int start(struct worker *worker)
{
	pthread_attr_t attributes;
	pthread_t thread;
	int r;

	pthread_attr_init(&attributes);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attributes, STACK_BYTES);
	r = pthread_create(&thread, &attributes, run, worker);
	pthread_attr_destroy(&attributes);
	return -r;
}

int worker_new(void (*work)(void *owner, struct slice item), void *owner, struct worker **ret)
{
	struct worker *worker = calloc(1, sizeof(*worker));
	int r = worker ? 0 : -ENOMEM;

	if (r < 0)
		return r;
	*worker = (struct worker){.work = work, .owner = owner, .end = &worker->first};
	pthread_mutex_init(&worker->lock, NULL);
	pthread_cond_init(&worker->filled, NULL);
	r = start(worker);
	if (r < 0)
		free(worker);
	else
		*ret = worker;
	return r;
}

int worker_push(struct worker *worker, struct slice bytes)
{
	struct item *item = malloc(sizeof(*item) + bytes.len);
	int r = item ? 0 : -ENOMEM;

	if (r < 0)
		return r;
	item->next = NULL;
	item->len = bytes.len;
	memcpy(item->bytes, bytes.ptr, bytes.len);
	pthread_mutex_lock(&worker->lock);
	if (worker->count == ITEMS_MAX) {
		r = -EAGAIN;
	} else {
		*worker->end = item;
		worker->end = &item->next;
		worker->count++;
		pthread_cond_signal(&worker->filled);
	}
	pthread_mutex_unlock(&worker->lock);
	if (r < 0)
		free(item);
	return r;
}

void worker_clear(struct worker *worker)
{
	struct item *first;

	pthread_mutex_lock(&worker->lock);
	first = worker->first;
	worker->first = NULL;
	worker->end = &worker->first;
	worker->count = 0;
	pthread_mutex_unlock(&worker->lock);
	while (first) {
		struct item *next = first->next;

		free(first);
		first = next;
	}
}
