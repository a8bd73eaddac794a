/*
 * The file saved/shares: what the servers of a sandbox's folders have to know to go on (share/state.h), one
 * record for each share that the guest has mounted. Nothing in a record is looked at here.
 */
#pragma once

#include "wire/share.h"

#include <stdbool.h>
#include <stdint.h>

struct share_states {
	int states[SHARE_PORTS];    /* owned, memory files; -1 where there is none, or its server was lost */
	bool is_known[SHARE_PORTS]; /* the guest has it mounted */
};

/* Begins a file that holds no record yet. */
int share_states_begin(int file);

/* Appends a record of all that is in state; -1 where there is nothing but that it is mounted. */
int share_states_append(int file, uint32_t id, int state);

/* Reads a file; -EBADMSG with nothing in *ret when it is not whole. An empty one has no records. */
int share_states_read(int file, struct share_states *ret);
void share_states_done(struct share_states *states);

/* A memory file for one state. Returns a descriptor or a negative errno. */
int share_states_new(void);
