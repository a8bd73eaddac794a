/* The verbs of 'sbx secret', and what other commands have to do with secrets. */
#pragma once

#include "base/buf.h"
#include "base/paths.h"

#include <stdbool.h>

struct secret_verb {
	const char *name, *summary;
	/* argv[0] is the verb. Returns the exit status. */
	int (*run)(int argc, char **argv);
};

extern const struct secret_verb secret_set_verb, secret_set_custom, secret_ls, secret_rm, secret_import;

/* ---- secret-tell.c ---- */

/*
 * Gives a sandbox that runs all secrets that it may use, also those that are only in this process's
 * environment. Where that fails it runs on without, which is said. is_needed: it had some, and has lost
 * them; those that do not come back are named.
 */
void secret_give(const struct paths *paths, const char *sandbox, bool is_needed);

/*
 * Tells the sandboxes that run, or the one that is named, that a service's secret has changed or is gone.
 * takes_long: a command has to be run for it. Those that keep what they have are named on standard error, and
 * -EAGAIN is returned.
 */
int secret_tell(const struct paths *paths, const char *sandbox, const char *service, bool takes_long,
		struct err *err);

/* ---- secret-store.c: asking sbx-store ---- */

/*
 * Has sbx-store do something (words: a NULL-ended list) with this process's input, environment and standard
 * error, and appends what it answers, without the end of its line. It has said why it failed: -EREMOTEIO.
 * With `why`, that is kept for the caller, and the input is empty.
 */
int secret_store_ask(const char *const *words, struct buf *ret, struct buf *why, struct err *err);

/* Starts telling a sandbox's vault by a pipe, whose other end is returned; services are NULL-ended, NULL for
 * all. */
int secret_store_feed(const struct paths *paths, const char *sandbox, const char *const *services,
		      struct err *err);

/* ---- secret-edit.c ---- */

/* Removes what is for this sandbox only; it is going to be removed itself. */
void secret_forget_sandbox(const struct paths *paths, const char *sandbox);

/* The sandbox of that name must exist; NULL and "" are all of them. */
int secret_check_sandbox(const struct paths *paths, const char *sandbox, struct err *err);

/* A command that says the value, or NULL; then it is asked for, read, or taken from the variable of the
 * environment. */
struct secret_wish {
	const char *service, *sandbox; /* sandbox: "" for all */
	const char *command, *variable;
	unsigned refresh_s;
};

/* Keeps it, lists it, and tells the sandboxes that run. */
int secret_keep(const struct paths *paths, const struct secret_wish *wish, struct err *err);

/* Removes it; -ENOENT where there is none. */
int secret_remove(const struct paths *paths, const char *service, const char *sandbox, struct err *err);
