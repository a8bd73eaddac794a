/*
 * Guarded paths: files that a program of the host would later run or obey. A sandbox may not change them,
 * not even make them, until the person says so. What is built in is a table, what the person says are rules:
 * lines "guard PATTERN" and "allow PATTERN", of which the last one that matches counts.
 *
 * A pattern is a path from the folder's root. A star stands for anything in one name, two stars alone for any
 * number of names. What matches a folder matches everything in it.
 */
#pragma once

#include "base/slice.h"

enum { GUARD_PATTERN_MAX_BYTES = 1024, GUARD_RULES_MAX = 200 };

/* Where a row of the table counts from. */
enum guard_anchor {
	GUARD_AT_REPOSITORY, /* the root of the folder, and of each repository in it that the guest has not
				made */
	GUARD_AT_GIT,        /* each .git folder, and what git would take for one: with objects and refs */
	GUARD_ANYWHERE,
};

enum guard_place {
	GUARD_FREE,
	GUARD_CLOSED,  /* nothing is changed */
	GUARD_HOOKS,   /* the folder of hooks: may be made and removed */
	GUARD_SAMPLE,  /* a hook that git does not run by that name */
	GUARD_CONFIG,  /* may be replaced by one that is found harmless */
	GUARD_POINTER, /* a file that leads git to another folder: only to where git itself would lead it */
	GUARD_ABOVE,   /* holds guarded places, or would: is neither moved nor a link */
};

struct guard_row {
	enum guard_anchor anchor;
	const char *pattern; /* without regard to the case of A to Z */
	enum guard_place place;
	const char *why; /* who would run or obey it */
};

/* Ended by a row without a pattern. */
extern const struct guard_row guard_rows[];

enum guard_match { GUARD_NO_MATCH, GUARD_MATCH_BELOW, GUARD_MATCH };

/*
 * Whether the pattern matches the path, or could match one below it. A pattern that begins with two stars
 * matches wherever a folder is moved to: nothing is said of what is below then.
 */
enum guard_match guard_match(struct slice pattern, struct slice path, bool folds_case);

bool guard_is_pattern(struct slice pattern);

struct guard_rule {
	bool allows;
	struct slice pattern;
};

/* One line of the person's. -EINVAL: it is no rule. */
int guard_parse(struct slice line, struct guard_rule *ret);

/*
 * Takes the next rule off the text of the person's file, over empty lines and comments (#). 1; 0: there is
 * none; -EINVAL: the line is none, and what is left begins behind it. *line counts the lines that were taken,
 * and *ret_line is the last.
 */
int guard_take(struct slice *text, unsigned *line, struct slice *ret_line, struct guard_rule *ret);

/* Takes the first component of the path, and its slash, off *path. */
struct slice guard_next(struct slice *path);
