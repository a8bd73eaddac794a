/* Tells the list of changes what the guest has done, in paths below the folder. */
#pragma once

#include "share/changes.h"
#include "share/inode.h"

struct share;

void changed_created(struct share *share, const struct inode *dir, const char *name);
void changed_deleted(struct share *share, const struct inode *dir, const char *name);

/* The first time counts. What has no name any more is nobody's to look for. */
void changed_modified(struct share *share, struct inode *inode);

/* What of a move has to be told. */
struct changed_move {
	const struct inode *from, *into;
	const char *from_name, *into_name;
	bool is_dir;    /* what was moved */
	bool was_there; /* something that it has replaced */
};

void changed_moved(struct share *share, const struct changed_move *move);
void changed_exchanged(struct share *share, const struct changed_move *move);
