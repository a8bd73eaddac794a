/* What `create` and `run` share: the options that describe a new sandbox, and making it. */
#pragma once

#include "cli/agent.h"
#include "cli/options.h"
#include "cli/wish.h"
#include "supervisor/sandbox.h"

#include <stddef.h>

struct create_options {
	const char *name, *cpus, *memory, *disk;
	struct option_list env, env_files, mounts, guards;
	bool has_no_mount, allows_home;
};

/* Rows for a command's table whose struct has `struct create_options create` as a member. */
#define CREATE_OPTION_ROWS(type)                                                                            \
	{"name", 0, OPTION_TEXT, offsetof(type, create.name), "NAME", "name of the sandbox"},               \
		{"cpus",      0,                                                                            \
		 OPTION_TEXT, offsetof(type, create.cpus),                                                  \
		 "N",         "processors of the machine (default: the host's, in emulation 1)"},           \
		{"memory",    'm',                                                                          \
		 OPTION_TEXT, offsetof(type, create.memory),                                                \
		 "SIZE",      "its memory, such as 512m or 8g"},                                            \
		{"disk",      0,                                                                            \
		 OPTION_TEXT, offsetof(type, create.disk),                                                  \
		 "SIZE",      "how far its disk may grow (default 32g)"},                                   \
		{"env",          'e',                                                                       \
		 OPTION_LIST,    offsetof(type, create.env),                                                \
		 "NAME[=VALUE]", "set a variable inside"},                                                  \
		{"env-file",  0,                                                                            \
		 OPTION_LIST, offsetof(type, create.env_files),                                             \
		 "FILE",      "set variables from a file"},                                                 \
		{"mount",         0,                                                                        \
		 OPTION_LIST,     offsetof(type, create.mounts),                                            \
		 "PATH[:TARGET]", "share a folder, there inside; ':ro' behind it for reading"},             \
		{"no-mount", 0, OPTION_FLAG, offsetof(type, create.has_no_mount), NULL, "share no folder"}, \
		{"allow-home", 0,                                                                           \
		 OPTION_FLAG,  offsetof(type, create.allows_home),                                          \
		 NULL,         "let the home folder as a whole be shared"},                                 \
	{                                                                                                   \
		"allow-guarded", 0, OPTION_LIST, offsetof(type, create.guards), "PATTERN",                  \
			"let such guarded files be changed"                                                 \
	}

/*
 * Opens the folders that are asked for: words are the PATHs, count of them. Gives *ret, which is zero before;
 * end it with wish_done(), also on failure.
 */
int create_wish(const struct paths *paths, const struct create_options *options, char *const *words,
		int count, struct wish *ret, struct err *err);

/*
 * Makes a sandbox of that agent with those folders, the current one too where it is the workspace. Without a
 * name it is AGENT-FOLDER, with a number behind it where that is another folder's. Gives *ret.
 */
int create_sandbox(const struct paths *paths, const char *agent, const struct create_options *options,
		   struct wish *wish, struct sandbox *ret, struct err *err);

/* Makes what sandboxes of the default size start from, unless it is there. */
int create_prepare(const struct paths *paths, const char *template, struct err *err);

/*
 * Finds the sandbox of that agent and workspace. -ENOENT, without a sentence, when there is none.
 */
int create_find(const struct paths *paths, const char *agent, const char *workspace, struct sandbox *ret,
		struct err *err);

/* Whether the sandbox, which exists, is as the wish and the options want it. */
int create_check_same(const struct create_options *options, const struct wish *wish,
		      const struct sandbox *sandbox, struct err *err);

/* Says what is wrong with the options' values, and with the count of PATHs beside them, before anything is
 * done. */
int create_check(const struct create_options *options, int n_folders, struct err *err);
