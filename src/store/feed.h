/*
 * Tells a sandbox's vault of its credentials (wire/secret.h), by a pipe: once, and again where commands that
 * say them are to be run again. Then the process stays until the vault does not listen any more.
 */
#pragma once

#include "base/paths.h"

struct feed_wish {
	const char *sandbox;
	/* NULL-ended services that have changed; what of them is not there any more is forgotten. NULL: all
	 * that there are, and what is in this process's environment counts for those that are kept nowhere.
	 */
	char *const *services;
	int pipe; /* borrowed */
	int log;  /* borrowed: takes the place of standard error once the first is told; -1 for none */
};

int feed_run(const struct paths *paths, const struct feed_wish *wish, struct err *err);
