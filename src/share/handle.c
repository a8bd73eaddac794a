#include "share/handle.h"

#include "base/mem.h"

#include <errno.h>
#include <stddef.h>

enum { BUCKETS = 1 << 10 };

struct handles {
	struct handle *buckets[BUCKETS];
	uint64_t last_id;
	size_t count;
};

static void close_files(int fd, DIR *dir)
{
	if (dir)
		closedir(dir);
	else
		close(fd);
}

int handles_new(struct handles **ret)
{
	*ret = calloc(1, sizeof(**ret));
	return *ret ? 0 : -ENOMEM;
}

static struct handle *insert(struct handles *handles, uint64_t id, uint64_t inode, int fd, DIR *dir)
{
	struct handle *handle = handles->count < HANDLES_MAX ? calloc(1, sizeof(*handle)) : NULL;
	struct handle **bucket = &handles->buckets[id % BUCKETS];

	if (!handle) {
		close_files(fd, dir);
		return NULL;
	}
	*handle = (struct handle){.id = id, .inode = inode, .fd = fd, .dir = dir, .next = *bucket};
	*bucket = handle;
	handles->count++;
	handles_skip(handles, id);
	return handle;
}

int handles_add(struct handles *handles, uint64_t inode, int fd, DIR *dir, struct handle **ret)
{
	*ret = insert(handles, handles->last_id + 1, inode, fd, dir);
	return *ret ? 0 : -ENFILE;
}

static struct handle *find(const struct handles *handles, uint64_t id)
{
	struct handle *handle = handles->buckets[id % BUCKETS];

	while (handle && handle->id != id)
		handle = handle->next;
	return handle;
}

int handles_restore(struct handles *handles, uint64_t id, uint64_t inode, int fd, DIR *dir)
{
	if (find(handles, id)) {
		close_files(fd, dir);
		return -EEXIST;
	}
	return insert(handles, id, inode, fd, dir) ? 0 : -ENFILE;
}

struct handle *handles_find(const struct handles *handles, uint64_t id, uint64_t inode)
{
	struct handle *handle = find(handles, id);

	return handle && handle->inode == inode ? handle : NULL;
}

size_t handles_count(const struct handles *handles)
{
	return handles->count;
}

uint64_t handles_last(const struct handles *handles)
{
	return handles->last_id;
}

int handles_each(const struct handles *handles, int (*visit)(const struct handle *handle, void *data),
		 void *data)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < BUCKETS; i++)
		for (const struct handle *handle = handles->buckets[i]; r == 0 && handle;
		     handle = handle->next)
			r = visit(handle, data);
	return r;
}

void handles_skip(struct handles *handles, uint64_t last)
{
	if (last > handles->last_id)
		handles->last_id = last;
}

void handles_remove(struct handles *handles, uint64_t id)
{
	struct handle **at = &handles->buckets[id % BUCKETS];
	struct handle *handle;

	while (*at && (*at)->id != id)
		at = &(*at)->next;
	handle = *at;
	if (!handle)
		return;
	*at = handle->next;
	handles->count--;
	close_files(handle->fd, handle->dir);
	free(handle);
}

void handles_free(struct handles *handles)
{
	for (size_t i = 0; handles && i < BUCKETS; i++)
		while (handles->buckets[i])
			handles_remove(handles, handles->buckets[i]->id);
	free(handles);
}
