/*
 * QEMU's command line for a machine. Pure. The devices are the same for every sandbox, connected or not: a
 * saved machine can only be restored into the same set.
 */
#pragma once

#include "engine/engine.h"

struct qemu_args;

/* connected tells, for each descriptor of engine-fds.h, whether it is there. */
int qemu_args_new(const char *program, const struct engine_machine *machine, const bool *connected,
		  struct qemu_args **ret);
void qemu_args_free(struct qemu_args *args);

/* NULL-ended, borrowed. */
char *const *qemu_args_list(const struct qemu_args *args);
