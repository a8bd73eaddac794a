/*
 * Saves the state of a running machine: has the guest make itself quiet, stops the processor, and writes what
 * the devices, the memory and, where asked for, the disk hold. Afterwards the machine stands still.
 *
 * How it works
 *   copy of the disk   a reflink while the processor stands still; where the file system has none, the engine
 *                      copies while the machine runs, and what was written meanwhile again until both are
 * equal quiet              the guest writes out what it holds back, and freezes its processes stop from here
 * on nothing changes devices            the engine writes its state into a descriptor memory             read
 * from outside, on a thread, so that this process goes on answering
 */
#pragma once

#include "supervisor/machine.h"
#include "supervisor/ram.h"
#include "supervisor/shares.h"

struct save_target {
	int devices, memory; /* empty files, borrowed until the end; devices is open for writing only */
	int disk;            /* the machine's own, borrowed */
	int disk_copy;       /* empty file, or -1 for none; borrowed until the end */
	int folders_file;    /* where what the servers of folders know is written; borrowed until the end */
	struct shares *folders; /* borrowed; NULL where there are none */
	struct ram_source ram;
	bool is_quiet;  /* the guest cannot be asked, or need not */
	bool is_paused; /* the processor stands still already */
};

enum save_step {
	SAVE_IDLE,
	SAVE_COPYING,
	SAVE_WARMING,
	SAVE_QUIETING,
	SAVE_STOPPING,
	SAVE_FOLDERS,
	SAVE_DEVICES,
	SAVE_MEMORY,
	SAVE_FINISHING_COPY,
};

struct save {
	struct machine *machine;
	struct save_target target;
	/* NULL: it is saved and stands still. Else why not; the machine goes on, if it was not paused. */
	void (*on_done)(void *owner, const struct err *err);
	void *owner;
	enum save_step step;
	uv_timer_t limit;
	uv_work_t work;
	bool is_copying;  /* the engine copies the disk */
	bool was_stopped; /* by us */
	bool is_working;  /* on the thread */
	bool is_given_up; /* once the thread is back */
	int64_t stopped_ms;
	struct err err;
	int result;
	uint64_t memory_bytes;
};

/* Once, before anything else. */
int save_init(struct save *save, uv_loop_t *loop);

/* True from save_begin() until on_done. */
bool save_is_going_on(const struct save *save);

void save_begin(struct save *save, struct machine *machine, const struct save_target *target,
		void (*on_done)(void *owner, const struct err *err), void *owner);

/* The guest has answered the request with SAVE_REQUEST. */
void save_on_reply(struct save *save, unsigned status);
void save_on_event(struct save *save, const struct qmp_message *event);

/* The machine has ended meanwhile. */
void save_on_end(struct save *save);

enum { SAVE_REQUEST = 100 };
