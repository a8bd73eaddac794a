#include "share/inode.h"

#include "base/mem.h"

#include <errno.h>

enum { BUCKETS = 1 << 14 };

struct inodes {
	struct inode *by_id[BUCKETS], *by_file[BUCKETS];
	uint64_t last_id;
	size_t count;
};

static size_t id_bucket(uint64_t id)
{
	return id % BUCKETS;
}

static size_t file_bucket(dev_t dev, ino_t ino)
{
	return ((uint64_t)ino * 0x9e3779b97f4a7c15ULL ^ (uint64_t)dev) >> 40 & (BUCKETS - 1);
}

struct inode *inodes_find(const struct inodes *inodes, uint64_t id)
{
	struct inode *inode = inodes->by_id[id_bucket(id)];

	while (inode && inode->id != id)
		inode = inode->next_of_id;
	return inode;
}

static struct inode *find_file(const struct inodes *inodes, dev_t dev, ino_t ino)
{
	struct inode *inode = inodes->by_file[file_bucket(dev, ino)];

	while (inode && (inode->ino != ino || inode->dev != dev))
		inode = inode->next_of_file;
	return inode;
}

static struct inode *insert(struct inodes *inodes, uint64_t id, int fd, const struct stat *info)
{
	struct inode *inode = calloc(1, sizeof(*inode));
	struct inode **of_id, **of_file;

	if (!inode)
		return NULL;
	*inode = (struct inode){
		.id = id, .fd = fd, .dev = info->st_dev, .ino = info->st_ino, .type = info->st_mode & S_IFMT};
	of_id = &inodes->by_id[id_bucket(inode->id)];
	of_file = &inodes->by_file[file_bucket(inode->dev, inode->ino)];
	if (id > inodes->last_id)
		inodes->last_id = id;
	inode->next_of_id = *of_id;
	inode->next_of_file = *of_file;
	*of_id = *of_file = inode;
	inodes->count++;
	return inode;
}

int inodes_add(struct inodes *inodes, int fd, const struct stat *info, struct inode **ret)
{
	struct inode *inode = find_file(inodes, info->st_dev, info->st_ino);

	if (inode) {
		close(fd);
	} else {
		inode = inodes->count < INODES_MAX ? insert(inodes, inodes->last_id + 1, fd, info) : NULL;
		if (!inode) {
			close(fd);
			return inodes->count < INODES_MAX ? -ENOMEM : -ENFILE;
		}
	}
	inode->n_lookups++;
	*ret = inode;
	return 0;
}

static void remove_inode(struct inodes *inodes, struct inode *inode)
{
	struct inode **at = &inodes->by_id[id_bucket(inode->id)];

	while (*at != inode)
		at = &(*at)->next_of_id;
	*at = inode->next_of_id;
	at = &inodes->by_file[file_bucket(inode->dev, inode->ino)];
	while (*at != inode)
		at = &(*at)->next_of_file;
	*at = inode->next_of_file;
	inodes->count--;
	close(inode->fd);
	free(inode);
}

void inodes_forget(struct inodes *inodes, uint64_t id, uint64_t count)
{
	struct inode *inode = inodes_find(inodes, id);

	if (!inode || id == INODE_ROOT)
		return;
	inode->n_lookups -= count < inode->n_lookups ? count : inode->n_lookups;
	if (inode->n_lookups == 0)
		remove_inode(inodes, inode);
}

int inodes_new(int root, struct inodes **ret)
{
	struct inodes *inodes = calloc(1, sizeof(*inodes));
	struct inode *inode;
	struct stat info;
	int r = inodes ? 0 : -ENOMEM;

	if (r == 0 && fstat(root, &info) < 0)
		r = -errno;
	if (r == 0 && !S_ISDIR(info.st_mode) && !S_ISREG(info.st_mode))
		r = -EINVAL;
	if (r < 0) {
		close(root);
		free(inodes);
		return r;
	}
	r = inodes_add(inodes, root, &info, &inode);
	if (r < 0)
		free(inodes);
	else
		*ret = inodes;
	return r;
}

void inodes_free(struct inodes *inodes)
{
	for (size_t i = 0; inodes && i < BUCKETS; i++)
		while (inodes->by_id[i])
			remove_inode(inodes, inodes->by_id[i]);
	free(inodes);
}

size_t inodes_count(const struct inodes *inodes)
{
	return inodes->count;
}

uint64_t inodes_last(const struct inodes *inodes)
{
	return inodes->last_id;
}

int inodes_each(const struct inodes *inodes, int (*visit)(const struct inode *inode, void *data), void *data)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < BUCKETS; i++)
		for (const struct inode *inode = inodes->by_id[i]; r == 0 && inode; inode = inode->next_of_id)
			r = visit(inode, data);
	return r;
}

int inodes_restore(struct inodes *inodes, uint64_t id, int fd, const struct stat *info, uint64_t n_lookups)
{
	struct inode *inode = NULL;
	int r = inodes_find(inodes, id) || find_file(inodes, info->st_dev, info->st_ino) ? -EEXIST : 0;

	if (r == 0 && inodes->count < INODES_MAX)
		inode = insert(inodes, id, fd, info);
	if (!inode) {
		close(fd);
		return r < 0 ? r : -ENFILE;
	}
	inode->n_lookups = n_lookups;
	return 0;
}

void inodes_skip(struct inodes *inodes, uint64_t last)
{
	if (last > inodes->last_id)
		inodes->last_id = last;
}
