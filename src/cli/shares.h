/* The folders that a sandbox has: opened for its supervisor, and what may be added to them. */
#pragma once

#include "cli/folder.h"
#include "supervisor/sandbox.h"

/* Whether one more goes with what the sandbox has. */
int shares_check_more(const struct paths *paths, const struct sandbox *sandbox, const struct folder *more,
		      struct err *err);

/* Where commands start inside; NULL where the workspace is not shared: the guest has a place of its own. */
const char *shares_working_folder(const struct sandbox *sandbox);

/* One descriptor for each port, -1 where there is none. */
struct shares_files {
	int fds[ENGINE_SHARES];
};

#define SHARES_NO_FILES                                                                \
	(struct shares_files)                                                          \
	{                                                                              \
		{                                                                      \
			-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1 \
		}                                                                      \
	}

/*
 * Opens and judges again what the sandbox's description names; *ret is SHARES_NO_FILES. A folder that is
 * another one by now is refused. Close *ret with shares_close(), also on failure.
 */
int shares_open(const struct paths *paths, const struct sandbox *sandbox, struct shares_files *ret,
		struct err *err);
void shares_close(struct shares_files *files);
#define auto_shares __attribute__((cleanup(shares_close)))
