/*
 * Processes: starting them and learning of their end. Starting never waits for the new process: what it does
 * before its program runs (entering a folder that may be slow, looking for the program) happens over there,
 * and is told over a pipe.
 */
#pragma once

#include "guest/loop.h"
#include "guest/strings.h"
#include "guest/users.h"

#include <signal.h>
#include <sys/types.h>

struct children;

/* Where a start failed. */
enum child_step { CHILD_SETUP, CHILD_USER, CHILD_DIR, CHILD_PROGRAM, CHILD_RUNNING };

struct child {
	pid_t pid;       /* 0: none */
	bool is_started; /* its program runs */
	struct child *next, **link;
	struct watch report;
	/* The program runs (CHILD_RUNNING, 0), or it failed at a step with an errno value. */
	void (*on_start)(struct child *child, enum child_step step, int error);
	/* It ended, and is reaped; status as from waitpid(). Comes after on_start. */
	void (*on_exit)(struct child *child, int status);
	struct children *children;
};

/* All pointers are borrowed until child_start() returns. */
struct child_plan {
	const struct strings *argv;  /* at least one */
	const struct strings *env;   /* its PATH finds the program */
	const struct identity *user; /* NULL: as the caller is */
	const char *dir;             /* must exist when dir_required, else the next of dirs is tried */
	const char *other_dir;       /* may be NULL; after it comes "/" */
	bool dir_required;
	int fds[3];        /* standard input, output, error */
	bool has_terminal; /* fds[0] becomes the controlling terminal */
	int listen_fd;     /* -1, or a socket handed over as descriptor 3 with LISTEN_FDS */
	int cgroup_fd;     /* -1, or cgroup.procs of the control group to join */
};

/* Watches SIGCHLD, which it blocks. Every process that ends is reaped, also those that nobody registered. */
int children_new(struct loop *loop, struct children **ret);
void children_free(struct children *children);

/* True when there is no process left below this one. */
bool children_none(void);

/* How many there are right below this one. */
unsigned children_count(void);

/* Told after each batch of reaping; may be NULL. */
void children_on_reaped(struct children *children, void (*on_reaped)(void *owner), void *owner);

/* Starts it; on_start and on_exit follow from the loop. Returns 0 or a negative errno, then neither comes. */
int child_start(struct children *children, struct child *child, const struct child_plan *plan);

/* Signals the process group that the child leads, while the child has not been reaped. */
void child_signal(const struct child *child, int signal);

/* Nobody wants to hear of it any more. It is reaped all the same. */
void child_forget(struct child *child);

/* 0 to 255, as a shell counts. */
int child_exit_status(int status);
