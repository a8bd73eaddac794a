/*
 * A git configuration that a guest wants to put into place, read as git reads it (git-config(1), "Syntax"):
 * does it set anything that has git execute a program, or lead elsewhere? What is not known to be harmless is
 * refused, unless the configuration that it replaces says the same already.
 */
#pragma once

#include "base/slice.h"

enum { GITCONFIG_MAX_BYTES = 1 << 20, GITCONFIG_KEY_BYTES = 512 };

/*
 * Where it lies, for a core.worktree: so many folders up, it leaves the repository's own folder; so many
 * folders up is the shared folder.
 */
struct gitconfig_place {
	unsigned up_min, up_max;
};

/* One variable: section.subsection.key, section and key in lower case; its value, "" where there is none. */
struct gitconfig_entry {
	const char *key, *value;
};

struct gitconfig;

int gitconfig_new(struct slice text, struct gitconfig **ret);
void gitconfig_free(struct gitconfig *config);

/* 1: *ret is the next variable, until the next call; 0: the end; -EBADMSG where git would not read it. */
int gitconfig_next(struct gitconfig *config, struct gitconfig_entry *ret);

/*
 * 0 where text may replace old; -EACCES with the variable's name in ret_key; -EBADMSG where git would not
 * read it, -EFBIG, -ENOMEM.
 */
int gitconfig_check(struct slice text, struct slice old, const struct gitconfig_place *place,
		    char ret_key[GITCONFIG_KEY_BYTES]);
