/*
 * The files that the guest reads and writes. It asks for them by their inodes alone (zero-message open): the
 * server opens what is needed, and keeps some open as long as that helps. Descriptors for writing are closed
 * after a moment: as long as one is open, the host can start no such program (ETXTBSY), and whoever waits
 * there for the file to be written to its end goes on waiting.
 */
#pragma once

#include "share/inode.h"

struct share;

enum { OPENED_WRITING_MS = 20 };

struct opened {
	int fd;            /* owned */
	unsigned n_jobs;   /* that use it: it is closed after them */
	unsigned n_makers; /* who has made the file, and may go on writing whatever its mode says */
	int64_t used_ms;
	bool is_writing;
	struct inode *inode; /* NULL: only jobs use it */
	struct opened *newer, *older;
};

struct opened_list {
	struct opened *newest, *oldest;
	size_t count, max;
	size_t n_writing; /* of these, as the host sees it */
};

/* Good until the next of these functions, unless n_jobs is raised. */
int opened_get(struct share *share, struct inode *inode, bool is_writing, struct opened **ret);

/* Takes fd, open for writing, of a file that the guest has just made. */
int opened_made(struct share *share, struct inode *inode, int fd);

/* One who has made the file is done with it. */
void opened_release(struct share *share, struct inode *inode);

/* The use by one job is over. */
void opened_put(struct share *share, struct opened *opened);

/* The inode is forgotten. */
void opened_close(struct share *share, struct inode *inode);

/* Whoever writes on is judged again. */
void opened_close_writing(struct share *share);

/*
 * The mode that the guest sees was judged by its kernel already: whoever made a file read-only may go on
 * writing it, and root reads everything. The host's kernel judges again, by the same mode. So for a moment
 * the owner is allowed to, as he may allow himself at any time; never for what belongs to somebody else. Then
 * the mode is taken back.
 */
int opened_lend(struct share *share, struct inode *inode, mode_t *ret_mode);
int opened_take_back(struct share *share, struct inode *inode, mode_t mode);

/* Closes what was not written to lately. Returns when to call again, in milliseconds, or -1. */
int opened_rest(struct share *share);
