/*
 * Watches the folder on the host (fanotify), so that the guest may keep for long what it was told: changes
 * that others make are told to it (tell.h); what this process does for the guest, the guest knows.
 *
 * Folders are watched from before the guest is told of what is in them; so is a file with several names,
 * which may be changed by one that lies elsewhere. What is not watched is kept for a second, as everything is
 * where nothing can be.
 */
#pragma once

#include "base/buf.h"
#include "share/inode.h"
#include "share/map.h"

#include <stdint.h>

enum { WATCH_SHORT_SECONDS = 1, WATCH_LONG_SECONDS = 86400 };

struct share;

struct watch {
	int group; /* owned; fanotify's */
	int32_t pid;
	struct map ids;                         /* the inodes' numbers by their handles */
	size_t n_folders, n_files, max_folders; /* that are watched; that may be */
	int64_t rest_ms;                        /* until then the host has no room for more; 0: it has */
	bool was_full;
	struct buf found; /* notices of changes that were seen without an event */
};

/* What share_watch() needs; afterwards, the right to make it can be given up. Gives a descriptor or a
 * negative errno. */
int watch_open(void);

void watch_free(struct watch *watch);

/* From now on, changes in the folder (or of the file) are told, if that is possible. For a folder, to be
 * called before what is in it is looked at for the guest. True if it was not so before. */
bool watch_begin(struct share *share, struct inode *inode);

/*
 * Of an inode that was found in the folder dir (NULL: nowhere), and can be reached as `name` from the
 * descriptor at. info was read there after the folder is watched; it is read again where that matters.
 */
void watch_found(struct share *share, struct inode *inode, const struct inode *dir, int at, const char *name,
		 struct statx *info);

/* reach_stat(), with the inode watched before, if it can be. */
int watch_stat(struct share *share, struct inode *inode, struct statx *ret);

/* The inode is to be forgotten, or to stand for another file. */
void watch_end(struct share *share, struct inode *inode);

/* It is not what the guest believes, though nobody but this process has changed it. */
void watch_changed(struct share *share, const struct inode *inode);

/* How long what the folder has under a name, or that it has none, may be kept. */
uint32_t watch_name_seconds(const struct inode *dir);

/* How long the attributes of the inode may be kept, which are to be told next. */
uint32_t watch_attr_seconds(struct share *share, struct inode *inode, const struct statx *info);

/* A number that changes with the file. */
uint64_t watch_state(const struct statx *info);
