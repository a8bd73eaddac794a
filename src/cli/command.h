/* A command is one file and one constant; commands.c lists them. */
#pragma once

#include "base/paths.h"

enum {
	EXIT_FAILED = 1, /* it could not be done; a sentence on standard error says why */
	EXIT_USAGE = 2,  /* it was not asked for rightly */
};

struct command {
	const char *name, *other_name; /* other_name is not in help; may be NULL */
	const char *summary;
	/* argv[0] is the command's name. Returns the exit status. */
	int (*run)(int argc, char **argv);
};

/* NULL-ended, in the order in which help shows them. */
extern const struct command *const commands[];

extern const struct command cmd_run, cmd_create, cmd_exec, cmd_ls, cmd_stats, cmd_stop, cmd_pause, cmd_resume,
	cmd_mount, cmd_umount, cmd_diff, cmd_guard, cmd_policy, cmd_secret, cmd_fork, cmd_snapshot, cmd_rm,
	cmd_prune, cmd_settings, cmd_template, cmd_diagnose, cmd_version;

/* Prints "sbx: sentence" with everything made printable; returns EXIT_FAILED. */
int command_fail(const struct err *err);

/* The same for a call that was put wrongly, with where to read on; returns EXIT_USAGE. */
int command_misuse(const char *command, const struct err *err);
