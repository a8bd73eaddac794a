/* Who a command runs as. Reads the text of /etc/passwd and /etc/group itself, as a static program must. */
#pragma once

#include "base/err.h"
#include "base/slice.h"

#include <sys/types.h>

enum {
	USERS_FILE_MAX_BYTES = 1 << 20,
	USER_NAME_MAX_BYTES = 64,
	USER_PATH_MAX_BYTES = 256,
	USER_GROUPS_MAX = 64
};

struct identity {
	uid_t uid;
	gid_t gid;
	gid_t groups[USER_GROUPS_MAX];
	size_t n_groups;
	char name[USER_NAME_MAX_BYTES];
	char home[USER_PATH_MAX_BYTES];
	char shell[USER_PATH_MAX_BYTES];
};

/*
 * Finds "user" or "user:group", each a name or a number, in the texts of passwd and group. A number that
 * passwd does not know is allowed. The groups are the user's supplementary ones; a group that is named
 * replaces the user's own.
 */
int users_find(struct slice passwd, struct slice group, const char *who, struct identity *ret,
	       struct err *err);

/* Gives the number of the named group; -ENOENT if there is none. */
int users_find_group(struct slice group, const char *name, gid_t *ret);
