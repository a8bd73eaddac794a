/*
 * The inodes that the guest knows, under numbers that are never used again. What an inode is, its device,
 * inode number and time of birth say; where it was seen last is its place: a folder that is known too, and a
 * name in it. A pure table: files are reached by reach.h.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

enum { INODE_ROOT = 1, INODES_MAX = 1 << 21 };

struct opened;

/* What watch.h remembers of it. */
struct watched {
	uint64_t handle; /* event_handle() of it; 0: not known */
	uint64_t place;  /* the folder in which it was seen, if that was watched then */
	uint64_t told;   /* watch_state() when the guest was told of it last */
	bool is_marked, is_refused;
};

struct inode {
	uint64_t id, n_lookups; /* as many as the guest has been told of it and has not forgotten */
	uint64_t ino;
	int64_t born_ns; /* 0 where the file system does not keep it */
	mode_t type;     /* S_IFMT */
	bool is_noted;   /* among the changes (changes.h), as modified */
	bool is_pointer; /* guard.h: what is written to it leads git somewhere */

	struct inode *parent; /* NULL: the root, or what has no place */
	char *name;           /* owned; of one component or, below the root, of many */
	size_t n_children;    /* inodes whose parent this is: they keep it known */

	int fd; /* reach.h: owned; -1 while it is given up */
	struct inode *newer, *older;
	struct opened *reading, *writing; /* opened.h */

	int64_t owner_ctime_ns; /* owner.h: what was remembered of its owner when it had changed last */
	uint32_t owner_uid, owner_gid;
	bool has_owner;

	struct watched watched;

	struct inode *next_of_id, *next_of_file;
};

struct inodes;

/* leave is called with what is forgotten, before it goes. */
int inodes_new(void (*leave)(struct inode *inode, void *owner), void *owner, struct inodes **ret);
void inodes_free(struct inodes *inodes);

/* What statx tells of it: the same file, as far as anybody can know. */
bool inode_is(const struct inode *inode, const struct statx *info);
int64_t inode_time(const struct statx_timestamp *time);

/* NULL where the guest has made the number up, or forgotten it. */
struct inode *inodes_find(const struct inodes *inodes, uint64_t id);
struct inode *inodes_find_file(const struct inodes *inodes, const struct statx *info);

/* The inode of that file, counted once more. -ENFILE when there are too many. */
int inodes_add(struct inodes *inodes, const struct statx *info, struct inode **ret);

/* It is that file from now on; nothing of the last one may be open any more. */
void inodes_become(struct inodes *inodes, struct inode *inode, const struct statx *info);

/* It was seen there just now. */
int inodes_put(struct inodes *inodes, struct inode *inode, struct inode *parent, const char *name);

/* What lay there is not there any more. */
void inodes_lift(struct inodes *inodes, struct inode *inode);

/* The guest forgets count look-ups of it; one that it has never had is passed over. */
void inodes_forget(struct inodes *inodes, uint64_t id, uint64_t count);

/* The path from above (NULL: the root), which is not part of it. -ESTALE where a place is missing;
 * -ENAMETOOLONG. */
int inode_path(const struct inode *inode, const struct inode *above, char *into, size_t room);

/* How many there are, the root included; the last number that was used. */
size_t inodes_count(const struct inodes *inodes);
uint64_t inodes_last(const struct inodes *inodes);

/* Visits all, none of which may go meanwhile; a negative value ends it and is returned. */
int inodes_each(const struct inodes *inodes, int (*visit)(struct inode *inode, void *data), void *data);

/* One of an earlier life, without a place yet. -EEXIST where its number is in use. */
int inodes_restore(struct inodes *inodes, const struct inode *known, struct inode **ret);

/* Those that neither the guest nor a child holds go. */
void inodes_sweep(struct inodes *inodes);

/* Numbers up to last are not used any more. */
void inodes_skip(struct inodes *inodes, uint64_t last);
