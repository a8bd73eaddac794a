/*
 * Files with more than one name. Whatever is written to such a file appears under its other names too, and
 * one that lies outside the folder, or is guarded, is not the guest's to change. Where the names lie is found
 * out by looking through the folder, once; the names that the guest makes and removes itself are counted on.
 */
#pragma once

#include "base/buf.h"
#include "share/judge.h"

#include <stdint.h>

struct share;
struct inode;
struct job;

enum { LINKS_KNOWN = 1 << 14, LINKS_AGAIN_MS = 30000 };

/* What is known of a file: good as long as it has as many names. */
struct links_entry {
	uint64_t ino;
	int64_t born_ns, at_ms;
	uint32_t n_links;
	bool is_inside; /* all of them are in the folder, and none is guarded */
};

struct links {
	struct links_entry
		*entries;    /* owned, LINKS_KNOWN of them by inode number; NULL until one is needed */
	struct job *waiting; /* requests that wait for the one search that goes on */
	bool is_searching;
	size_t n_waiting, waiting_bytes;
};

void links_done(struct links *links);
void links_forget_all(struct links *links);

/*
 * Whether the regular file may be changed as far as its other names go: 0; 1: it has no name at all, so that
 * nobody else sees it; -EACCES; -EINPROGRESS: its names are being looked for, and the request is served again
 * after that.
 */
int links_check(struct share *share, struct inode *inode, enum judge_act act);

/* The guest is about to give it one more name, or to take that one away. */
void links_gain_name(struct share *share, struct inode *inode);
void links_lose_name(struct share *share, struct inode *dir, const char *name);

/*
 * Appends the paths below the folder behind root by which the file with that number is found, each with its
 * NUL, until there are as many as wanted. Gives how many, or -E2BIG where there is too much to look through.
 * Any thread's.
 */
int64_t links_search(int root, uint64_t ino, uint64_t wanted, struct buf *ret);

/* A search is over: what it has found. result: what links_search() gave. */
void links_learn(struct share *share, uint64_t ino, int64_t born_ns, uint32_t n_links, int64_t result,
		 struct slice paths);
