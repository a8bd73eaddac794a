/*
 * What of the host may be shared with a sandbox, and where it may appear inside. A path is opened once. What
 * is judged is what was opened, by the name and the numbers that the kernel has for it, and just that is
 * handed on: a path that leads elsewhere a moment later changes nothing.
 */
#pragma once

#include "base/paths.h"

#include <stdbool.h>
#include <stddef.h>

enum { FOLDER_PATH_BYTES = 1024 };

/* What a person has written. */
struct folder_words {
	char path[FOLDER_PATH_BYTES];
	char target[FOLDER_PATH_BYTES]; /* empty: the same path as on the host */
	bool is_read_only;
};

struct folder {
	char source[FOLDER_PATH_BYTES]; /* absolute, without links */
	char target[FOLDER_PATH_BYTES];
	bool is_read_only, is_file;
	int fd; /* of the folder or file, O_PATH */
};

/*
 * Reads PATH[:ro|:rw], and with may_have_target PATH[:TARGET][:ro|:rw]. Where the whole text is the name of
 * something, its colons are part of the name.
 */
int folder_parse(const char *text, bool may_have_target, struct folder_words *ret, struct err *err);

/*
 * Opens and judges it. The home folder as a whole takes allows_home; the state folders of sbx are never
 * shared. Close *ret with folder_close().
 */
int folder_open(const struct folder_words *words, const struct paths *paths, bool allows_home,
		struct folder *ret, struct err *err);
void folder_close(struct folder *folder);

/* Whether all of them can be in one sandbox. */
int folder_check_all(const struct folder *list, size_t count, struct err *err);

/* Whether the path, absolute and without links, is the host's own. Pure. */
bool folder_is_system(const char *path);

/* Whether that path inside, absolute and clean, hides nothing that the sandbox needs. Pure. */
int folder_check_target(const char *target, struct err *err);

/* Whether path is the folder or lies in it, by whole components. Both absolute and clean. Pure. */
bool folder_has(const char *folder, const char *path);

/*
 * An absolute path without ".", "..", double and last slashes, by its text alone; a relative path begins at
 * base. -ENAMETOOLONG. Pure.
 */
int folder_clean(const char *path, const char *base, char ret[FOLDER_PATH_BYTES]);
