/*
 * An agent: what `sbx run AGENT` starts. One readable file each in the folder `agents`: lines "key value", #
 * comments.
 *
 *   summary TEXT        for lists
 *   command WORD        the program
 *   flags WORDS         put before the caller's flags
 *   words command       a first word after -- that is not a flag is a program itself; otherwise it replaces
 * the flags
 */
#pragma once

#include "base/err.h"
#include "base/slice.h"

enum { AGENT_FLAGS_MAX = 16, AGENT_TEXT_BYTES = 2048, AGENT_ARGS_MAX = 4096 };

struct agent {
	const char *command;
	const char *flags[AGENT_FLAGS_MAX + 1]; /* NULL-ended */
	bool words_are_commands;
	char text[AGENT_TEXT_BYTES]; /* what the above points into */
};

/* Finds it by name; an unknown one is -ENOENT with the nearest good one suggested. */
int agent_load(const char *name, struct agent *ret, struct err *err);

/* Reads a description; pure. */
int agent_parse(struct slice text, struct agent *ret, struct err *err);

/*
 * The command line for the caller's args (count of them): flags go before args that begin with '-'; a bare
 * word replaces them, or is the command itself. Gives a NULL-ended array of borrowed strings, to be freed by
 * the caller.
 */
int agent_command(const struct agent *agent, char **args, int count, const char ***ret);
