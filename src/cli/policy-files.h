/*
 * Where rules are kept: one text for all sandboxes in the configuration folder, and one in the folder of each
 * sandbox that has rules of its own. They appear whole, and one command at a time changes them.
 */
#pragma once

#include "base/buf.h"
#include "base/paths.h"
#include "policy/policy.h"

enum { POLICY_SOURCE_BYTES = 96 };

/* Of either text in its folder. */
#define POLICY_FILE_NAME "policy"

struct policy_file {
	const char *sandbox; /* borrowed; NULL: the rules for all */
	int dir;
	char source[POLICY_SOURCE_BYTES]; /* "global", "sandbox 'x'" */
	char path[PATH_ROOM_BYTES + 96];  /* for people */
};

/* Opens the folder of the text of one sandbox, or with NULL of the one for all. */
int policy_file_open(const struct paths *paths, const char *sandbox, struct policy_file *ret,
		     struct err *err);
void policy_file_close(struct policy_file *file);
#define POLICY_FILE_NONE ((struct policy_file){.dir = -1})
#define auto_policy_file __attribute__((cleanup(policy_file_close)))

bool policy_file_exists(const struct policy_file *file);

/* Nobody else changes it until the file is closed. */
int policy_file_lock(const struct policy_file *file, struct err *err);

/* Appends the text, nothing where there is none. */
int policy_file_read(const struct policy_file *file, struct buf *ret, struct err *err);

/* Adds the text's rules to the policy; a bad line is named with its number. */
int policy_file_parse(const struct policy_file *file, struct slice text, struct policy *into,
		      struct err *err);

/* Writes a text that has been parsed. */
int policy_file_write(const struct policy_file *file, struct slice text, struct err *err);
int policy_file_remove(const struct policy_file *file, struct err *err);

/* Every rule that counts for a sandbox, or with NULL for all of them. */
struct policy_all {
	struct policy_file global, own; /* own.dir is -1 without a sandbox */
	struct policy policy;
};

int policy_all_load(const struct paths *paths, const char *sandbox, struct policy_all *ret, struct err *err);
void policy_all_done(struct policy_all *all);

/* Says on standard error where the rules cannot be read: a sandbox that starts then reaches nothing. */
void policy_warn(const struct paths *paths, const char *sandbox);
#define POLICY_ALL_NONE ((struct policy_all){.global = {.dir = -1}, .own = {.dir = -1}})
#define auto_policy_all __attribute__((cleanup(policy_all_done)))

/*
 * Tells the sandboxes that run, or the one that is named, what the rules are now. Those that do not take them
 * are named on standard error, and -EAGAIN is returned.
 */
int policy_tell(const struct paths *paths, const char *sandbox, struct err *err);
