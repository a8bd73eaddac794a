/*
 * Threads for what may take long. Jobs go in, and come out done, in any order. Everything but job_run() is
 * the caller's thread's; the threads know no more than the job that they have.
 */
#pragma once

#include "share/job.h"

#include <stdbool.h>

struct pool;

/* Returns when all threads wait for jobs: whatever a thread does at its start has been done. */
int pool_new(unsigned n_threads, struct pool **ret);

/* Waits for the threads; there must be no jobs left. */
void pool_free(struct pool *pool);

/* Readable while there are jobs that are done. */
int pool_fd(const struct pool *pool);

/* How many are in it, done or not; what they hold in bytes, at most. */
unsigned pool_count(const struct pool *pool);
uint64_t pool_bytes(const struct pool *pool);

/* Takes the job. */
void pool_push(struct pool *pool, struct job *job);

/* Gives one that is done, or NULL; or waits for one, NULL where there is none to wait for. */
struct job *pool_take(struct pool *pool);
struct job *pool_wait(struct pool *pool);
