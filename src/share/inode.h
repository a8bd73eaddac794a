/*
 * The inodes that the guest knows, each held by a descriptor without rights of its own (O_PATH): what the
 * guest means by a number cannot become another file, whatever is renamed meanwhile. Numbers are never used
 * again.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

enum { INODE_ROOT = 1, INODES_MAX = 1 << 19 };

struct inode {
	uint64_t id, n_lookups; /* as many as the guest has been told of it and has not forgotten */
	int fd;                 /* owned */
	dev_t dev;
	ino_t ino;
	mode_t type; /* S_IFMT */
	struct inode *next_of_id, *next_of_file;
};

struct inodes;

/* Takes root, which must be an O_PATH descriptor of a folder or a regular file. */
int inodes_new(int root, struct inodes **ret);
void inodes_free(struct inodes *inodes);

/* NULL where the guest has made the number up, or forgotten it. */
struct inode *inodes_find(const struct inodes *inodes, uint64_t id);

/* The inode of the file behind fd, which it takes, counted once more. -ENFILE when there are too many. */
int inodes_add(struct inodes *inodes, int fd, const struct stat *info, struct inode **ret);

/* The guest forgets count look-ups of it; one that it has never had is passed over. */
void inodes_forget(struct inodes *inodes, uint64_t id, uint64_t count);

/* How many there are, the root included; the last number that was used. */
size_t inodes_count(const struct inodes *inodes);
uint64_t inodes_last(const struct inodes *inodes);

/* Visits all; a negative value ends it and is returned. */
int inodes_each(const struct inodes *inodes, int (*visit)(const struct inode *inode, void *data), void *data);

/* As inodes_add(), with a number and a count of an earlier life. -EEXIST where either is in use. */
int inodes_restore(struct inodes *inodes, uint64_t id, int fd, const struct stat *info, uint64_t n_lookups);

/* Numbers up to last are not used any more. */
void inodes_skip(struct inodes *inodes, uint64_t last);
