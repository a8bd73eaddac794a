#include "share/inode.h"

#include "base/mem.h"

#include <errno.h>
#include <string.h>

enum { BUCKETS_FIRST = 1 << 12 };

struct inodes {
	struct inode **by_id, **by_file; /* each of n_buckets, a power of two */
	size_t n_buckets, count;
	uint64_t last_id;
	void (*leave)(struct inode *inode, void *owner);
	void *owner;
};

int64_t inode_time(const struct statx_timestamp *time)
{
	return (int64_t)((uint64_t)time->tv_sec * 1000000000 + time->tv_nsec);
}

static int64_t born_of(const struct statx *info)
{
	return info->stx_mask & STATX_BTIME ? inode_time(&info->stx_btime) : 0;
}

bool inode_is(const struct inode *inode, const struct statx *info)
{
	return inode->ino == info->stx_ino && inode->type == (info->stx_mode & S_IFMT) &&
	       inode->born_ns == born_of(info);
}

/* ---- the two tables ---- */

static struct inode **bucket_of_id(const struct inodes *inodes, uint64_t id)
{
	return &inodes->by_id[id & (inodes->n_buckets - 1)];
}

static struct inode **bucket_of_file(const struct inodes *inodes, uint64_t ino)
{
	return &inodes->by_file[(ino * 0x9e3779b97f4a7c15ULL >> 32) & (inodes->n_buckets - 1)];
}

static void link_in(struct inodes *inodes, struct inode *inode)
{
	struct inode **of_id = bucket_of_id(inodes, inode->id);
	struct inode **of_file = bucket_of_file(inodes, inode->ino);

	inode->next_of_id = *of_id;
	inode->next_of_file = *of_file;
	*of_id = *of_file = inode;
}

/* Where there is no memory for more buckets, the chains get longer. */
static void grow(struct inodes *inodes)
{
	struct inode **by_id = calloc(inodes->n_buckets * 2, sizeof(struct inode *));
	struct inode **by_file = calloc(inodes->n_buckets * 2, sizeof(struct inode *));
	struct inode **old = inodes->by_id;
	size_t n_old = inodes->n_buckets;

	if (!by_id || !by_file) {
		free(by_id);
		free(by_file);
		return;
	}
	free(inodes->by_file);
	inodes->by_id = by_id;
	inodes->by_file = by_file;
	inodes->n_buckets *= 2;
	for (size_t i = 0; i < n_old; i++) {
		while (old[i]) {
			struct inode *inode = old[i];

			old[i] = inode->next_of_id;
			link_in(inodes, inode);
		}
	}
	free(old);
}

static struct inode *insert(struct inodes *inodes, uint64_t id)
{
	struct inode *inode = inodes->count < INODES_MAX ? calloc(1, sizeof(*inode)) : NULL;

	if (!inode)
		return NULL;
	if (inodes->count >= inodes->n_buckets)
		grow(inodes);
	inode->id = id;
	inode->fd = -1;
	inodes->count++;
	inodes_skip(inodes, id);
	return inode;
}

struct inode *inodes_find(const struct inodes *inodes, uint64_t id)
{
	struct inode *inode = *bucket_of_id(inodes, id);

	while (inode && inode->id != id)
		inode = inode->next_of_id;
	return inode;
}

struct inode *inodes_find_file(const struct inodes *inodes, const struct statx *info)
{
	struct inode *inode = *bucket_of_file(inodes, info->stx_ino);

	while (inode && !inode_is(inode, info))
		inode = inode->next_of_file;
	return inode;
}

int inodes_add(struct inodes *inodes, const struct statx *info, struct inode **ret)
{
	struct inode *inode = inodes_find_file(inodes, info);

	if (!inode) {
		inode = insert(inodes, inodes->last_id + 1);
		if (!inode)
			return -ENFILE;
		inode->ino = info->stx_ino;
		inode->born_ns = born_of(info);
		inode->type = info->stx_mode & S_IFMT;
		link_in(inodes, inode);
	}
	inode->n_lookups++;
	*ret = inode;
	return 0;
}

int inodes_restore(struct inodes *inodes, const struct inode *known, struct inode **ret)
{
	struct inode *inode = inodes_find(inodes, known->id) ? NULL : insert(inodes, known->id);

	if (!inode)
		return -EEXIST;
	inode->ino = known->ino;
	inode->born_ns = known->born_ns;
	inode->type = known->type;
	inode->n_lookups = known->n_lookups;
	link_in(inodes, inode);
	*ret = inode;
	return 0;
}

static void unlink_from(struct inode **at, const struct inode *inode, bool is_of_id)
{
	while (*at != inode)
		at = is_of_id ? &(*at)->next_of_id : &(*at)->next_of_file;
	*at = is_of_id ? inode->next_of_id : inode->next_of_file;
}

void inodes_become(struct inodes *inodes, struct inode *inode, const struct statx *info)
{
	unlink_from(bucket_of_id(inodes, inode->id), inode, true);
	unlink_from(bucket_of_file(inodes, inode->ino), inode, false);
	inode->ino = info->stx_ino;
	inode->born_ns = born_of(info);
	inode->owner_ctime_ns = 0;
	inode->watched = (struct watched){.handle = 0};
	link_in(inodes, inode);
}

/* ---- places ---- */

static bool is_needed(const struct inode *inode)
{
	return inode->n_lookups > 0 || inode->n_children > 0 || inode->id == INODE_ROOT;
}

/* Also the folders that only it has kept. */
static void remove_inode(struct inodes *inodes, struct inode *inode)
{
	while (inode && !is_needed(inode)) {
		struct inode *parent = inode->parent;

		inodes->leave(inode, inodes->owner);
		unlink_from(bucket_of_id(inodes, inode->id), inode, true);
		unlink_from(bucket_of_file(inodes, inode->ino), inode, false);
		inodes->count--;
		free(inode->name);
		free(inode);
		if (parent)
			parent->n_children--;
		inode = parent;
	}
}

void inodes_lift(struct inodes *inodes, struct inode *inode)
{
	struct inode *parent = inode->parent;

	free(steal(&inode->name));
	inode->parent = NULL;
	if (!parent)
		return;
	parent->n_children--;
	remove_inode(inodes, parent);
}

/*
 * Folders that were moved on the host meanwhile can be known by places that contradict each other: the
 * latest is the right one.
 */
static void cut_circle(struct inodes *inodes, const struct inode *inode, struct inode *parent)
{
	while (parent && parent->parent != inode)
		parent = parent->parent;
	if (parent)
		inodes_lift(inodes, parent);
}

int inodes_put(struct inodes *inodes, struct inode *inode, struct inode *parent, const char *name)
{
	char *copy;

	if (inode == parent || inode->id == INODE_ROOT)
		return 0;
	if (inode->parent == parent && strcmp(inode->name, name) == 0)
		return 0;
	copy = strdup(name);
	if (!copy)
		return -ENOMEM;
	parent->n_children++;
	inode->n_lookups++; /* so that it stays whatever goes */
	if (inode->type == S_IFDIR)
		cut_circle(inodes, inode, parent);
	inodes_lift(inodes, inode);
	inode->n_lookups--;
	inode->parent = parent;
	inode->name = copy;
	return 0;
}

/* Writes from the end of the room, and moves it to the front. */
int inode_path(const struct inode *inode, const struct inode *above, char *into, size_t room)
{
	size_t at = room - 1;

	into[at] = '\0';
	for (; inode != above && inode->id != INODE_ROOT; inode = inode->parent) {
		size_t len = inode->parent ? strlen(inode->name) : 0;

		if (!inode->parent)
			return -ESTALE;
		if (len + 1 > at)
			return -ENAMETOOLONG;
		if (into[at])
			into[--at] = '/';
		at -= len;
		memcpy(into + at, inode->name, len);
	}
	memmove(into, into + at, room - at);
	return 0;
}

/* ---- all of them ---- */

void inodes_forget(struct inodes *inodes, uint64_t id, uint64_t count)
{
	struct inode *inode = inodes_find(inodes, id);

	if (!inode)
		return;
	inode->n_lookups -= count < inode->n_lookups ? count : inode->n_lookups;
	remove_inode(inodes, inode);
}

size_t inodes_count(const struct inodes *inodes)
{
	return inodes->count;
}

uint64_t inodes_last(const struct inodes *inodes)
{
	return inodes->last_id;
}

int inodes_each(const struct inodes *inodes, int (*visit)(struct inode *inode, void *data), void *data)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < inodes->n_buckets; i++)
		for (struct inode *inode = inodes->by_id[i]; r >= 0 && inode; inode = inode->next_of_id)
			r = visit(inode, data);
	return r;
}

void inodes_sweep(struct inodes *inodes)
{
	for (size_t i = 0; i < inodes->n_buckets; i++) {
		struct inode *inode = inodes->by_id[i];

		while (inode) {
			bool goes = !is_needed(inode);

			remove_inode(inodes, inode);
			/* Others of this chain may have gone with it. */
			inode = goes ? inodes->by_id[i] : inode->next_of_id;
		}
	}
}

void inodes_skip(struct inodes *inodes, uint64_t last)
{
	if (last > inodes->last_id)
		inodes->last_id = last;
}

int inodes_new(void (*leave)(struct inode *inode, void *owner), void *owner, struct inodes **ret)
{
	struct inodes *inodes = calloc(1, sizeof(*inodes));

	if (!inodes)
		return -ENOMEM;
	*inodes = (struct inodes){.n_buckets = BUCKETS_FIRST,
				  .by_id = calloc(BUCKETS_FIRST, sizeof(struct inode *)),
				  .by_file = calloc(BUCKETS_FIRST, sizeof(struct inode *)),
				  .leave = leave,
				  .owner = owner};
	if (!inodes->by_id || !inodes->by_file) {
		inodes_free(inodes);
		return -ENOMEM;
	}
	*ret = inodes;
	return 0;
}

void inodes_free(struct inodes *inodes)
{
	for (size_t i = 0; inodes && inodes->by_id && i < inodes->n_buckets; i++) {
		while (inodes->by_id[i]) {
			struct inode *inode = inodes->by_id[i];

			inodes->by_id[i] = inode->next_of_id;
			inodes->leave(inode, inodes->owner);
			free(inode->name);
			free(inode);
		}
	}
	if (inodes) {
		free(inodes->by_id);
		free(inodes->by_file);
	}
	free(inodes);
}
