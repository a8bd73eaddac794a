/*
 * Reaches the files that inodes stand for. Each that is used is held by a descriptor without rights of its
 * own (O_PATH): what the guest means by a number cannot become another file, whatever is renamed meanwhile.
 * There are fewer descriptors than files: those that were not used for longest are given up, as far as they
 * can be found again by their places. What is found there then is the same file, or the answer is ESTALE.
 */
#pragma once

#include "share/inode.h"

#include <limits.h>

struct share;

struct reach {
	struct inode *newest, *oldest; /* those that have a descriptor, but the root */
	size_t count, max;
	size_t held_max; /* as long as there are fewer, files that are only looked up are held too */
};

/* What lies there, as an O_PATH descriptor: no link is followed, no other mount entered, nothing above
 * reached. */
int reach_open_beneath(int dir, const char *path);

/* The inode's descriptor, which stays its own and is good until others are reached. Negative: -ESTALE, or the
 * host's reason. */
int reach_fd(struct share *share, struct inode *inode);

/* What statx says of it, without a descriptor where it has none. */
int reach_stat(struct share *share, struct inode *inode, struct statx *ret);
int reach_stat_at(int dir, const char *name, struct statx *ret);

/* Takes fd, a descriptor of the inode's, if it has none. */
void reach_take(struct share *share, struct inode *inode, int fd);

/*
 * What has that name is about to lose it, but may be in use: from now on a descriptor holds it. True if there
 * is such a file; *ret is its inode, or NULL where that is not known.
 */
bool reach_hold(struct share *share, int dir, const char *name, struct inode **ret);

/* True if it would be found again without its descriptor. */
bool reach_is_in_place(struct share *share, struct inode *inode);

/* The path of what is behind fd from the root, as the kernel knows it now; a removed file's too. Gives its
 * length, or -ESTALE where it is not in the folder. */
int reach_path(struct share *share, int fd, char path[PATH_MAX]);

/* Where its descriptor says that it lies is its place from now on: it may have been moved on the host. False
 * where it lies nowhere in the folder. */
bool reach_place_again(struct share *share, struct inode *inode);

/* Opens the regular file or folder itself. Gives a new descriptor. */
int reach_open(struct share *share, struct inode *inode, int flags);

void reach_close(struct share *share, struct inode *inode);
