/*
 * An agent: what `sbx run AGENT` starts. One readable file each in the folder `agents`: lines "key value", #
 * comments.
 *
 *   summary TEXT         for lists
 *   command WORD         the program
 *   flags WORDS          put before the caller's flags
 *   subcommands WORDS    first words after -- that the flags go behind
 *   words command        any other first word that is not a flag is a program itself; without this it
 *                        replaces the flags
 *   hosts HOSTS          what it has to reach
 *   credentials SERVICES whose keys it uses
 *   npm PACKAGES         what is installed for it. With this the agent has a template of its own, a layer
 *   install-hosts HOSTS  what installing has to reach
 *   file PATH            a file below /home/agent in that layer; its lines follow, each behind "| "
 */
#pragma once

#include "base/err.h"
#include "base/slice.h"

#include <stdbool.h>

enum { AGENT_WORDS_MAX = 16, AGENT_FILES_MAX = 8, AGENT_TEXT_BYTES = 8192, AGENT_ARGS_MAX = 4096 };

struct agent_words {
	const char *items[AGENT_WORDS_MAX + 1]; /* NULL-ended */
	size_t count;
};

struct agent_file {
	const char *path; /* below /home/agent */
	char *content;    /* whole lines */
};

struct agent {
	const char *command;
	struct agent_words flags, subcommands, hosts, credentials, npm, install_hosts;
	struct agent_file files[AGENT_FILES_MAX];
	size_t n_files;
	bool words_are_commands;
	char text[AGENT_TEXT_BYTES]; /* what the above points into */
};

/* Finds it by name; an unknown one is -ENOENT with the nearest good one suggested. */
int agent_load(const char *name, struct agent *ret, struct err *err);

/* Reads a description; pure. *ret points into itself and is not to be copied. */
int agent_parse(struct slice text, struct agent *ret, struct err *err);

/*
 * The command line for the caller's args (count of them): flags go before args that begin with '-', or
 * behind a subcommand; another bare word replaces them, or is the command itself. Gives a NULL-ended array of
 * borrowed strings, to be freed by the caller.
 */
int agent_command(const struct agent *agent, char **args, int count, const char ***ret);
