/* What the guest has open: files and folders, under numbers that are never used again. */
#pragma once

#include <dirent.h>
#include <stddef.h>
#include <stdint.h>

enum { HANDLES_MAX = 1 << 16 };

struct handle {
	uint64_t id;
	uint64_t inode; /* the number that it was opened by */
	int fd;         /* owned, of a file; of a folder it is dir's */
	DIR *dir;       /* owned; NULL of a file */
	struct handle *next;
};

struct handles;

int handles_new(struct handles **ret);
void handles_free(struct handles *handles);

/* Takes fd, and dir if it is not NULL, also when it fails. */
int handles_add(struct handles *handles, uint64_t inode, int fd, DIR *dir, struct handle **ret);

/* The handle of that number, if it was opened by that inode; else NULL. */
struct handle *handles_find(const struct handles *handles, uint64_t id, uint64_t inode);
void handles_remove(struct handles *handles, uint64_t id);

/* As the functions of inode.h that are called alike. */
size_t handles_count(const struct handles *handles);
uint64_t handles_last(const struct handles *handles);
int handles_each(const struct handles *handles, int (*visit)(const struct handle *handle, void *data),
		 void *data);
int handles_restore(struct handles *handles, uint64_t id, uint64_t inode, int fd, DIR *dir);
void handles_skip(struct handles *handles, uint64_t last);
