/* Runs one command in a running sandbox and is its terminal, or its standard streams, until it ends. */
#pragma once

#include "base/paths.h"

#include <stdbool.h>
#include <stdint.h>

enum { EXEC_DETACHED = -1 };

struct exec {
	const char *sandbox;
	const char *const *argv; /* NULL-ended */
	char *const *env;        /* NULL-ended NAME=VALUE; may be NULL */
	char *const *more_env;   /* the same; wins */
	const char *user, *dir;  /* NULL: the guest's defaults */
	const char *session;     /* name of a terminal session to join or make; NULL for none */
	bool wants_input, wants_terminal;
	int output, errors;        /* borrowed: where its streams go; 0: to those of this program */
	uint64_t output_max_bytes; /* of both; more ends it with -EFBIG. 0: no limit */
};

/*
 * Gives the command's exit status in *ret_status: 128 + signal where a signal ended it; 125 where the
 * connection was lost; EXEC_DETACHED where the user left it running (Ctrl-\ twice).
 */
int exec_run(const struct paths *paths, const struct exec *exec, int *ret_status, struct err *err);
