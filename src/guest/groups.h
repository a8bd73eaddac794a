/*
 * Control groups. Everything that is started here runs in a group below the root, because the root cannot be
 * frozen: what must stand still while the machine is saved is every top-level group, Docker's own included.
 */
#pragma once

#include <stdbool.h>

struct groups {
	int user,
		engine; /* cgroup.procs of the group of commands, and of dockerd's; -1 where there is none */
};

/* Makes the groups. What cannot be had stays -1 and is said on the console. */
void groups_open(struct groups *groups);

/* The descriptor for child_plan, also without groups: -1. */
int groups_of_commands(const struct groups *groups);
int groups_of_engine(const struct groups *groups);

/* Freezes every top-level group or has it go on; what was paused by somebody else stays so. */
void groups_set_frozen(bool is_frozen);

/* Waits until they stand still, at most limit_ms. 0 or -ETIME. */
int groups_wait_frozen(int limit_ms);
