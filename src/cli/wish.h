/* The folders that a person asks for with `run` and `create`: those of a sandbox that is yet to be made, or
 * found. */
#pragma once

#include "cli/folder.h"
#include "cli/options.h"
#include "supervisor/sandbox.h"

struct wish_words {
	char *const *folders; /* PATH[:ro|:rw] */
	size_t n_folders;
	const struct option_list *mounts; /* PATH[:TARGET][:ro|:rw] */
	bool allows_home;
};

/* The same, opened and judged. */
struct wish {
	struct folder *folders;
	size_t count;
	char *workspace; /* what the sandbox is for: the first folder without a target, else the current one,
			    NULL where that is gone */
	bool lacks_current; /* it is the current one, which is not among the folders */
};

/* Gives *ret, which is zero before; end it with wish_done(), also on failure. */
int wish_open(const struct paths *paths, const struct wish_words *words, struct wish *ret, struct err *err);
void wish_done(struct wish *wish);
#define auto_wish __attribute__((cleanup(wish_done)))

/* Adds the current folder, if it is lacking. */
int wish_add_current(const struct paths *paths, bool allows_home, struct wish *wish, struct err *err);

/* Puts the workspace and the folders into the description of a new sandbox. */
int wish_describe(const struct wish *wish, struct sandbox *sandbox, struct err *err);

/* Whether a sandbox that exists has all of them. */
int wish_check_had(const struct wish *wish, const struct sandbox *sandbox, struct err *err);
