/*
 * A folder in the making: filled under a temporary name, then given its name when it is whole. A process that
 * ends before that leaves what sandbox_names() tidies up.
 */
#pragma once

#include "supervisor/sandbox.h"

struct stage {
	int all, dir; /* owned */
	enum shelf shelf;
	char temporary[SANDBOX_NAME_MAX + 48]; /* empty once it has its name */
};

#define STAGE_NONE ((struct stage){.all = -1, .dir = -1})

/*
 * Makes the folder for a sandbox of that name; -EEXIST when there is one, -ENOSPC when the file system
 * cannot hold even a little of its disk. sandbox->created is filled in, and
 * machine_id where it is empty.
 */
int stage_open(const struct paths *paths, enum shelf shelf, struct sandbox *sandbox, struct stage *ret,
	       struct err *err);

/* Makes an empty disk in it. */
int stage_make_disk(const struct stage *stage, uint64_t mib, struct err *err);

/* Removes what has been put into it. */
void stage_empty(const struct stage *stage);

/* Writes the description and gives the folder its name. */
int stage_publish(struct stage *stage, const struct sandbox *sandbox, struct err *err);

/* Removes what has not got its name. */
void stage_done(struct stage *stage);
#define auto_stage __attribute__((cleanup(stage_done)))
