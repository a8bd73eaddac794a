/* A thread that does one thing after another, in order, from a queue with a limit. */
#pragma once

#include "base/slice.h"

struct worker;

/* work is called on the thread, for each item. */
int worker_new(void (*work)(void *owner, struct slice item), void *owner, struct worker **ret);

/* Copies the item. -EAGAIN where the queue is full. */
int worker_push(struct worker *worker, struct slice item);

/* Forgets what is queued. */
void worker_clear(struct worker *worker);
