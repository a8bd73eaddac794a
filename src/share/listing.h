/*
 * Folders that are being listed. The guest says only which folder, and how far it has come: a listing that
 * has come just as far goes on, so that entries which are removed meanwhile, and file systems whose positions
 * are counts, do no harm.
 */
#pragma once

#include "share/inode.h"

#include <dirent.h>

enum { LISTINGS_MAX = 64 };

struct listing {
	uint64_t inode; /* 0: free */
	uint64_t at;    /* how far it has come */
	uint64_t used;  /* a count: the smallest was used for longest */
	DIR *dir;       /* owned */
};

struct share;

/* A listing of the folder that goes on from there, good until the next one is asked for. */
int listing_get(struct share *share, struct inode *dir, uint64_t at, struct listing **ret);

/* The folder is forgotten. */
void listing_close(struct share *share, const struct inode *dir);
