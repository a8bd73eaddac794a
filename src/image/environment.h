/*
 * The environment that building needs: where programs are, and the proxies and certificates of this user's
 * network. Nothing else of the caller's is passed on.
 */
#pragma once

#include <stddef.h>

enum { ENVIRONMENT_MAX = 24 };

struct environment {
	char *list[ENVIRONMENT_MAX]; /* NULL-ended, for spawn; owned */
	size_t count;
};

/* Fills an empty one from this process's own. */
int environment_pick(struct environment *env);
int environment_add(struct environment *env, const char *name, const char *value);
void environment_done(struct environment *env);

#define auto_environment __attribute__((cleanup(environment_done)))
