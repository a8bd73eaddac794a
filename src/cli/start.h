/* Makes a sandbox run: template, engine, supervisor, and the wait until its guest answers. */
#pragma once

#include "base/paths.h"
#include "supervisor/sandbox.h"

/* 1 when its supervisor answers "running", 0 when it is stopped; other states are errors with a sentence. */
int start_is_running(const struct paths *paths, const char *name, struct err *err);

/*
 * Starts it unless it runs. Progress goes to standard error. A caller that is interrupted meanwhile leaves
 * nothing running. Returns 0 when commands can be run in it. It is given its secrets when it was started,
 * and when it has lost them.
 */
int start_sandbox(const struct paths *paths, const struct sandbox *sandbox, struct err *err);

/* The same, and secrets that are in the environment count from now on, also where it runs already. */
int start_with_environment(const struct paths *paths, const struct sandbox *sandbox, struct err *err);

/*
 * Starts one that is not the person's own work: it gets no credential, and ends when *ret_bond, the caller's,
 * is closed, however the caller ends. -EBUSY where it runs already.
 */
int start_bound(const struct paths *paths, const struct sandbox *sandbox, int *ret_bond, struct err *err);

/* Suspends it, or shuts it down, and waits for it. Not running is fine. */
int start_stop(const struct paths *paths, const char *name, bool is_cold, struct err *err);

/* Ends it at once: its supervisor, and with that everything that belongs to it. Not running is fine. */
int start_kill(const struct paths *paths, const char *name, struct err *err);
