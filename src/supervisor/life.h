/*
 * What the parts of a supervisor share: one sandbox's life.
 *
 *   launch.c    from the start until its guest answers: restored where that is possible, else booted
 *   keep.c      saving its state: to be suspended, for a copy, or for what new sandboxes start from
 *   requests.c  what clients ask for
 */
#pragma once

#include "supervisor/clock-watch.h"
#include "supervisor/control.h"
#include "supervisor/machine.h"
#include "supervisor/place.h"
#include "supervisor/restore.h"
#include "supervisor/save.h"
#include "supervisor/saved.h"
#include "supervisor/starter.h"

enum phase {
	STARTING, /* the guest has not been told yet who it is */
	SETTLING, /* what new sandboxes start from: waits for the Docker engine */
	RUNNING,
	STOPPING, /* is being suspended or shuts down */
};

enum { LAUNCHES_MAX = 2, JOBS_MAX = 32 };

enum request_id {
	REQUEST_RESUME = 1,
	REQUEST_THAW,
	REQUEST_SHUTDOWN,
	REQUEST_SETTLE,
	REQUEST_STATS,
	REQUEST_PAUSE
};

/* Somebody who wants the machine saved, in the order in which they came. */
struct job {
	uint64_t ticket;
	int disk, devices, memory; /* owned */
};

struct life {
	uv_loop_t loop;
	uv_timer_t limit; /* of the start, then of the stop */
	uv_timer_t space; /* looks for space while there was none */
	uv_signal_t terminate;
	struct clock_watch clock;
	struct starter starter;
	struct control control;
	struct machine machines[LAUNCHES_MAX]; /* the second one boots when the first could not be restored */
	struct machine *machine;
	struct engine_machine kind;
	struct sandbox sandbox;
	struct place place;
	const char *template_id;
	char key[SAVED_MACHINE_BYTES]; /* what a saved state must have been made with */

	/* launch.c */
	struct restore restore;
	struct saved from;     /* what it was restored from; base is what its memory changes, if any */
	const char *from_name; /* its folder; NULL where it was booted */
	int disk, memfd;       /* owned; memfd is -1 before there is one */
	int console_log, engine_log;
	unsigned n_launches;
	uv_work_t tidying;

	/* keep.c */
	struct save save;
	struct job jobs[JOBS_MAX];
	size_t n_jobs;
	int own_files[2];
	size_t n_own_files;
	int saved_dir; /* of the state that is being written to its own folder, -1 while there is none */
	uv_work_t committing;
	struct err commit_err;
	int commit_result;
	bool is_suspended; /* the state is whole: what is left is to end */

	enum phase phase;
	bool is_cancelled; /* its start is not wanted any more */
	bool is_terminating;
	bool is_stop_wanted, is_cold_wanted; /* once what is going on is over */
	bool is_start;                       /* makes what new sandboxes start from */
	bool is_full;             /* the host's disk is: the machine is paused until there is space again */
	bool is_paused;           /* by a person */
	uint64_t stops[JOBS_MAX]; /* tickets of who waits for the end */
	size_t n_stops;
	uint64_t askers[JOBS_MAX]; /* tickets of who waits for the guest's figures */
	size_t n_askers;
	uv_timer_t asking;
	uint64_t pausers[JOBS_MAX]; /* tickets of who waits for it to stand still */
	size_t n_pausers;
	uv_timer_t pausing;
	int64_t since;
	uint64_t start_limit_s; /* 0: the built-in limits */
};

/* ---- supervisor.c ---- */

const struct machine_ops *life_machine_ops(void);

/* ---- launch.c ---- */

/* Starts the machine. What follows comes from the loop. */
int launch_begin(struct life *life, struct err *err);
void launch_on_ready(struct life *life);
void launch_on_reply(struct life *life, unsigned status);
void launch_on_limit(struct life *life);

/* The machine has ended during the start. False where another way is tried. */
bool launch_on_end(struct life *life, const char *why);

/* Tells the guest what only the host knows, and has it go on. */
int launch_tell_guest(struct life *life, enum request_id id);

/* ---- keep.c ---- */

/* Begins to suspend it, or to make the start state. Failing, requests_stopped() follows. */
void keep_suspend(struct life *life);

/* Puts a copy in line; takes the descriptors. */
int keep_copy(struct life *life, const struct job *job);
bool keep_is_busy(const struct life *life);

/* ---- requests.c ---- */

extern const struct control_ops requests_ops;
void requests_stop(struct life *life, bool is_cold);

/* The guest has told its figures; empty where it has not. */
void requests_stats(struct life *life, struct slice body);

/* The guest has made itself quiet, or has not. */
void requests_paused(struct life *life);

/* Tells everybody who waits for the end; NULL: it has come. */
void requests_stopped(struct life *life, const char *error);
