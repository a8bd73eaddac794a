/* What `create` and `run` share: the options that describe a new sandbox, and making it. */
#pragma once

#include "cli/agent.h"
#include "cli/options.h"
#include "supervisor/sandbox.h"

#include <stddef.h>

struct create_options {
	const char *name, *cpus, *memory, *disk;
	struct option_list env, env_files;
};

/* Rows for a command's table whose struct has `struct create_options create` as a member. */
#define CREATE_OPTION_ROWS(type)                                                                  \
	{"name", 0, OPTION_TEXT, offsetof(type, create.name), "NAME", "name of the sandbox"},     \
		{"cpus",      0,                                                                  \
		 OPTION_TEXT, offsetof(type, create.cpus),                                        \
		 "N",         "processors of the machine (default: the host's, in emulation 1)"}, \
		{"memory",    'm',                                                                \
		 OPTION_TEXT, offsetof(type, create.memory),                                      \
		 "SIZE",      "its memory, such as 512m or 8g"},                                  \
		{"disk",      0,                                                                  \
		 OPTION_TEXT, offsetof(type, create.disk),                                        \
		 "SIZE",      "how far its disk may grow (default 32g)"},                         \
		{"env",          'e',                                                             \
		 OPTION_LIST,    offsetof(type, create.env),                                      \
		 "NAME[=VALUE]", "set a variable inside"},                                        \
	{                                                                                         \
		"env-file", 0, OPTION_LIST, offsetof(type, create.env_files), "FILE",             \
			"set variables from a file"                                               \
	}

/*
 * Makes a sandbox of that agent for the current folder. Without a name it is AGENT-FOLDER, with a number
 * behind it where that is another folder's. Gives *ret.
 */
int create_sandbox(const struct paths *paths, const char *agent, const struct create_options *options,
		   struct sandbox *ret, struct err *err);

/* Makes what sandboxes of the default size start from, unless it is there. */
int create_prepare(const struct paths *paths, const char *template, struct err *err);

/*
 * Finds the sandbox of that agent and the current folder. -ENOENT, without a sentence, when there is none.
 */
int create_find(const struct paths *paths, const char *agent, struct sandbox *ret, struct err *err);

/* Says what is wrong with the options' values before anything is done. */
int create_check(const struct create_options *options, struct err *err);
