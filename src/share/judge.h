/*
 * What a path in the shared folder is to the guard: free, or guarded in one of a few ways, by the table and
 * the person's rules (wire/guard.h). Pure: what it has to know of the folder it asks for.
 */
#pragma once

#include "wire/guard.h"

enum { JUDGE_RULES_MAX = 4096 };

struct judge_rules {
	char **lines; /* owned, each owned and a rule */
	size_t count;
};

/* What lies in the folder: asked only where the answer counts. */
struct judge_view {
	/* Whether the folder that the path leads to is the root of a repository that the guest has not made.
	 */
	bool (*is_repository)(struct slice folder, void *data);
	/* Whether git would take it for a folder of its own. */
	bool (*is_git)(struct slice folder, void *data);
	void *data;
};

void judge_done(struct judge_rules *rules);

/* Adds a line; "reset" removes all. -EINVAL: it is no rule; -E2BIG. */
int judge_add(struct judge_rules *rules, struct slice line);

/* The path of a folder, or of anything else, from the root; without a slash at its end. */
enum guard_place judge_path(const struct judge_rules *rules, struct slice path, bool is_folder,
			    const struct judge_view *view);

/* What may be done to a place. */
enum judge_act {
	ACT_CREATE, /* a regular file */
	ACT_MKDIR,
	ACT_SYMLINK,
	ACT_LINK, /* another name for a file, there */
	ACT_WRITE,
	ACT_CHANGE, /* its mode, times, attributes */
	ACT_UNLINK,
	ACT_RMDIR,
	ACT_LINK_FROM,
	ACT_MOVE_FROM,
	ACT_MOVE_ONTO,
	ACTS,
};

/* True where it may be done, for some places only after a look at what it is. */
bool judge_may(enum guard_place place, enum judge_act act);
