/*
 * Starts a program with exactly the arguments, environment and descriptors that are named, and nothing else
 * of the caller's.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
#include <sys/types.h>

enum { SPAWN_FDS_MAX = 32 };

struct spawn {
	const char *program;     /* absolute path, borrowed */
	const char *const *argv; /* NULL-ended, borrowed */
	const char *const *env;  /* NULL-ended; NULL is an empty environment */
	const char *dir;         /* working folder; NULL is "/" */
	int fds[SPAWN_FDS_MAX];  /* fds[i] becomes descriptor i of the child; -1 is /dev/null for 0 to 2, else
				    closed */
	size_t n_fds;            /* at least 3 */
	int death_signal;        /* sent to the child when the calling thread ends; 0 for none */
	bool is_leader;          /* the child leads a session of its own */
};

/* Gives the child's process id, or the reason why the program could not be started. The fds stay the
 * caller's. */
int spawn_start(const struct spawn *spawn, pid_t *ret_pid, struct err *err);

/* Waits for the child at most limit_ms (negative: without limit). Gives the wait status; -ETIME past the
 * limit. */
int spawn_wait(pid_t pid, int limit_ms, int *ret_status);

/*
 * Runs a program to its end, at most limit_ms, and appends what it writes to standard output, at most max
 * bytes and no more than a pipe holds (64 KiB). One that takes longer is killed: -ETIME. Gives the wait
 * status.
 */
int spawn_ask(const char *program, const char *const *argv, int limit_ms, size_t max, struct buf *ret,
	      int *ret_status, struct err *err);
