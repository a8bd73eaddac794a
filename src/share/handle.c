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

int handles_add(struct handles *handles, uint64_t inode, int fd, DIR *dir, struct handle **ret)
{
	struct handle *handle = handles->count < HANDLES_MAX ? calloc(1, sizeof(*handle)) : NULL;
	struct handle **bucket;

	if (!handle) {
		close_files(fd, dir);
		return -ENFILE;
	}
	*handle = (struct handle){.id = ++handles->last_id, .inode = inode, .fd = fd, .dir = dir};
	bucket = &handles->buckets[handle->id % BUCKETS];
	handle->next = *bucket;
	*bucket = handle;
	handles->count++;
	*ret = handle;
	return 0;
}

struct handle *handles_find(const struct handles *handles, uint64_t id, uint64_t inode)
{
	struct handle *handle = handles->buckets[id % BUCKETS];

	while (handle && handle->id != id)
		handle = handle->next;
	return handle && handle->inode == inode ? handle : NULL;
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
