/*
 * What the parts of a supervisor share: one sandbox's life.
 *
 *   launch.c    from the start until its guest answers: restored where that is possible, else booted
 *   folders.c   the folders that it shares
 *   keep.c      saving its state: to be suspended, for a copy, or for what new sandboxes start from
 *   requests.c  what clients ask for
 */
#pragma once

#include "supervisor/clock-watch.h"
#include "supervisor/control.h"
#include "supervisor/machine.h"
#include "supervisor/network.h"
#include "supervisor/place.h"
#include "supervisor/restore.h"
#include "supervisor/save.h"
#include "supervisor/saved.h"
#include "supervisor/shares.h"
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
	REQUEST_PAUSE,
	REQUEST_TRUST,
	REQUEST_ENVIRONMENT,
	REQUEST_MOUNT = 200, /* and the share's number */
	REQUEST_UMOUNT = REQUEST_MOUNT + SHARE_PORTS,
	REQUEST_FOLDERS_END = REQUEST_UMOUNT + SHARE_PORTS,
};

/* Somebody who wants the machine saved, in the order in which they came. */
struct job {
	uint64_t ticket;
	int disk, devices, memory, folders; /* owned; -1 for none */
};

/* Somebody who waits for the rules to hold. */
struct applier {
	uint64_t ticket;   /* 0: nobody */
	uint32_t id;       /* of what the proxy was told; no other has it */
	unsigned n_layers; /* that are not in force yet */
};

/* Somebody who waits for secrets to be in the vault. */
struct feeder {
	uint64_t ticket; /* 0: nobody */
	uint32_t id;     /* of what was fed; no other has it */
	bool is_all;     /* there are */
};

#define JOB_NONE                                                       \
	{                                                              \
		.disk = -1, .devices = -1, .memory = -1, .folders = -1 \
	}

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
	bool has_layer;                /* the template has one */
	char key[SAVED_MACHINE_BYTES]; /* what a saved state must have been made with */

	/* launch.c */
	struct restore restore;
	struct saved from;     /* what it was restored from; base is what its memory changes, if any */
	const char *from_name; /* its folder; NULL where it was booted */
	int disk, memfd;       /* owned; memfd is -1 before there is one */
	int console_log, engine_log;
	unsigned n_launches;
	bool is_ready, is_told; /* the guest has answered; was told who it is */
	uv_work_t tidying;

	/* folders.c */
	struct shares shares;
	struct share_states states;     /* of what it was restored from, until its servers are started */
	int roots[SHARE_PORTS];         /* owned: what its starter has opened; -1 for none */
	uint64_t mounters[SHARE_PORTS]; /* tickets of who waits for the guest to mount or unmount one; 0:
					   nobody */
	unsigned n_mounting;            /* of the start */
	uint64_t differ;                /* ticket of who waits for what has changed */
	int differ_file;                /* owned */
	unsigned n_guarded;             /* refusals that the servers have told of */
	char **rules;                   /* owned: the person's, for all sandboxes */

	/* requests.c */
	struct network network;
	struct applier appliers[JOBS_MAX];
	uint32_t last_policy, last_feed;

	/* secrets-requests.c */
	struct feeder feeders[JOBS_MAX];

	/* keep.c */
	struct save save;
	struct job jobs[JOBS_MAX];
	size_t n_jobs;
	struct job own_files; /* of the state that is being written to its own folder */
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

/* The guest has mounted its folders; NULL, or why not. */
void launch_on_folders(struct life *life, const char *error);
void launch_on_limit(struct life *life);

/* The machine has ended during the start. False where another way is tried. */
bool launch_on_end(struct life *life, const char *why);

/* What the guest waits for before it goes on may be there now. */
void launch_on_trust(struct life *life);

/* Tells the guest what programs in it are to trust. */
int launch_tell_trust(struct life *life);

/* Tells the guest what only the host knows, and has it go on. */
int launch_tell_guest(struct life *life, enum request_id id);

/* ---- folders.c ---- */

/* Takes what the starter has opened; before anything else is opened. */
void folders_take(struct life *life);

/* Starts the keeper; before this process gives anything up. */
int folders_open(struct life *life, struct err *err);
int folders_attach(struct life *life);

/* Reads what the servers of a saved state knew; a state that is not whole costs that. */
void folders_restore(struct life *life);

/* The machine was started: its folders are served. */
void folders_begin(struct life *life);

/* Has the guest mount all of them; launch_on_folders() follows. */
void folders_mount_all(struct life *life);
void folders_on_reply(struct life *life, uint32_t id, unsigned status);

json_t *folders_describe(const struct life *life);
struct sandbox_share *folders_find(const struct life *life, unsigned id);
int folders_ask(struct life *life, const struct sandbox_share *share, bool is_mount, bool is_forced);

/* Writes the sandbox's description anew; its rules to the servers. */
void folders_describe_again(struct life *life);
int folders_set_rules(struct life *life, struct err *err);

/* ---- folders-requests.c ---- */

void folders_on_answer(struct life *life, unsigned id, bool is_mount, unsigned status);
void folders_on_mount(struct life *life, struct control_request *request);
void folders_on_umount(struct life *life, struct control_request *request);
void folders_on_diff(struct life *life, struct control_request *request);
void folders_on_guard(struct life *life, struct control_request *request);

/* ---- secrets-requests.c ---- */

/* Tells the guest which variables hold placeholders, and those only. */
int launch_tell_secrets(struct life *life);
void secrets_on_request(struct life *life, struct control_request *request);

/* Of network_ops. */
void secrets_on_change(void *owner);
void secrets_on_fed(void *owner, uint32_t id, const char *error);
void secrets_on_vault_gone(void *owner);

/* ---- keep.c ---- */

/* Begins to suspend it, or to make the start state. Failing, requests_stopped() follows. */
void keep_suspend(struct life *life);

void job_close(struct job *job);

/* Puts a copy in line; takes the descriptors. */
int keep_copy(struct life *life, const struct job *job);
bool keep_is_busy(const struct life *life);

/* ---- requests.c ---- */

extern const struct control_ops requests_ops;
extern const struct network_ops requests_network_ops;
void requests_stop(struct life *life, bool is_cold);

/* Whether the guest can be asked for something now. */
int requests_check_able(const struct life *life, struct err *err);

/* The guest has told its figures; empty where it has not. */
void requests_stats(struct life *life, struct slice body);

/* The guest has made itself quiet, or has not. */
void requests_paused(struct life *life);

/* Tells everybody who waits for the end; NULL: it has come. */
void requests_stopped(struct life *life, const char *error);
