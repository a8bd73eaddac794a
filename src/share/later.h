/* Jobs of the operations: made for a request, done by a thread or at once, answered (share_collect()). */
#pragma once

#include "share/job.h"
#include "share/opened.h"
#include "share/request.h"

/* NULL where there is no memory. */
struct job *later_new(const struct request *request, enum job_kind kind);
void later_free(struct share *share, struct job *job);

/* Gives the descriptor, which stays open until the job is done. */
int later_use(struct job *job, struct opened *opened);

/* Takes the job. OP_LATER; or, without threads, it is done and answered now. */
int later_start(struct share *share, struct job *job, struct buf *out);
