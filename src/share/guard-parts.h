/* What the files of the guard share. */
#pragma once

#include "share/ops.h"

#include <limits.h>

/* Tells of a refusal, and returns -EACCES. detail_name and detail may be NULL. */
int guard_refuse(struct share *share, const char *path, enum judge_act act, const char *detail_name,
		 const char *detail);

/* The path of what lies in the folder by that name. -ESTALE, -ENAMETOOLONG. */
int guard_path(struct share *share, struct inode *dir, const char *name, char path[PATH_MAX]);

enum guard_place guard_place_of(struct share *share, const char *path, bool is_folder);

/* Whether git would take the folder for one of its own. data: the share. */
bool guard_is_git(struct slice folder, void *data);

/* True if a person's rule lifts the guard from what a git folder at that path would have by that name. */
bool guard_is_lifted(struct share *share, const char *git, const char *name);

/* ---- guard-git.c ---- */

/* Puts a copy of the configuration that lies at from into its place, if it is harmless, and takes away what
 * lay there. */
int guard_publish(struct share *share, const struct guard_end *from, const struct guard_end *into);

/* The folder is to get the one of objects and refs that it does not have yet: git will take it for one of its
 * own. */
int guard_adopt(struct share *share, struct inode *dir, const char *name);

/* True for the name of a folder by which git knows its own. */
bool guard_is_half(const char *name);

/* Whether what a pointer at that path would say leads to a place where git has folders of its own, in this
 * folder. */
bool guard_pointer_is_sound(struct share *share, const char *path, struct slice text);

/* A worktree's entry, whose worktree is not in this folder: only its owner can tell that it is not needed any
 * more. */
bool guard_is_of_other_worktree(struct share *share, const char *path);
