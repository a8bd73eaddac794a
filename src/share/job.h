/*
 * One call that may take long. It touches nothing but its own descriptors and bytes, so that any thread may
 * do it while the server goes on.
 */
#pragma once

#include "base/buf.h"

#include <linux/fuse.h>
#include <stdint.h>

enum job_kind { JOB_READ, JOB_WRITE, JOB_SYNC, JOB_SYNC_DATA, JOB_ALLOCATE, JOB_COPY, JOB_SEARCH };

enum { JOB_FDS = 2 };

struct opened;

struct job {
	enum job_kind kind;
	uint64_t unique; /* of the request */
	int fd, from;    /* from: of JOB_COPY */
	uint64_t at, from_at, len;
	int flags;
	/* Of JOB_WRITE, what is written. Of JOB_READ, room for an answer's head, and then what was read. Of
	 * JOB_SEARCH, the request to be served when it is over. */
	struct buf bytes;
	struct buf found; /* of JOB_SEARCH: at is the inode number, len how many names are wanted (links.h) */
	int64_t born_ns;
	int64_t result; /* a count, or a negative errno */

	struct opened *opened[JOB_FDS]; /* whose descriptors these are */
	int own_fd;                     /* owned; or -1 */
	struct job *next;
};

void job_run(struct job *job);

/* Appends the answer's body. */
int job_answer(struct job *job, struct buf *out);
