#include "share/changed.h"

#include "share/ops.h"

#include <limits.h>
#include <stdio.h>

/* What has too long a path is missing, and that is said. */
static bool path_of(struct share *share, const struct inode *dir, const char *name,
		    char ret[CHANGE_PATH_BYTES])
{
	size_t len;

	if (inode_path(dir, NULL, ret, PATH_MAX) < 0) {
		changes_miss(share->changes);
		return false;
	}
	len = strlen(ret);
	snprintf(ret + len, CHANGE_PATH_BYTES - len, "%s%s", len > 0 ? "/" : "", name);
	return true;
}

void changed_created(struct share *share, const struct inode *dir, const char *name)
{
	char path[CHANGE_PATH_BYTES];

	if (path_of(share, dir, name, path))
		changes_created(share->changes, path);
}

void changed_deleted(struct share *share, const struct inode *dir, const char *name)
{
	char path[CHANGE_PATH_BYTES];

	if (path_of(share, dir, name, path))
		changes_deleted(share->changes, path);
}

void changed_modified(struct share *share, struct inode *inode)
{
	char path[PATH_MAX];

	if (inode->is_noted)
		return;
	if (inode_path(inode, NULL, path, sizeof(path)) < 0)
		return;
	inode->is_noted = true;
	changes_modified(share->changes, inode->id == INODE_ROOT ? "." : path);
}

void changed_moved(struct share *share, const struct changed_move *move)
{
	char old[CHANGE_PATH_BYTES], new[CHANGE_PATH_BYTES];

	if (!path_of(share, move->from, move->from_name, old) ||
	    !path_of(share, move->into, move->into_name, new) || strcmp(old, new) == 0)
		return;
	if (move->is_dir)
		changes_moved_folder(share->changes, old, new);
	changes_deleted(share->changes, old);
	if (move->was_there)
		changes_modified(share->changes, new);
	else
		changes_created(share->changes, new);
}

void changed_exchanged(struct share *share, const struct changed_move *move)
{
	char one[CHANGE_PATH_BYTES], other[CHANGE_PATH_BYTES];

	if (!path_of(share, move->from, move->from_name, one) ||
	    !path_of(share, move->into, move->into_name, other))
		return;
	changes_modified(share->changes, one);
	changes_modified(share->changes, other);
}
