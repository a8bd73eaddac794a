/*
 * Brings a machine back to a saved state, while the engine comes up: its memory is filled on a thread, then
 * the state of the devices is loaded. Afterwards the machine stands still.
 */
#pragma once

#include "supervisor/machine.h"
#include "supervisor/ram.h"

struct restore_source {
	int devices; /* borrowed until the end, as the others */
	int memfd;   /* what the engine maps */
	int base;    /* image to fill memfd from and then to seal it; -1 where it is filled and sealed */
	int memory;  /* image of what differs, -1 for nothing; without a base, of everything */
	bool has_base;
	uint64_t bytes;
};

struct restore {
	struct machine *machine;
	struct restore_source source;
	/* Loaded and standing still, or why not. */
	void (*on_done)(void *owner, const struct err *err);
	void *owner;
	uv_work_t work;
	bool is_going_on, is_working;
	struct err err;
	int result;
};

void restore_begin(struct restore *restore, struct machine *machine, const struct restore_source *source,
		   void (*on_done)(void *owner, const struct err *err), void *owner);
void restore_on_event(struct restore *restore, const struct qmp_message *event);

/* The machine has ended: on_done is not called any more. True while the thread still uses the descriptors. */
bool restore_on_end(struct restore *restore);
