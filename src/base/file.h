/* Files that survive a crash: what is written under a final name is whole. */
#pragma once

#include "base/buf.h"
#include "base/err.h"

#include <dirent.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * Writes the file `name` in the folder dir_fd: to a temporary name, fsync, rename, fsync of the folder.
 * After a crash there is the old content or the new one.
 */
int file_write_atomic(int dir_fd, const char *name, mode_t mode, struct slice content, struct err *err);

/* Reads the whole regular file, not following a link at its end; over limit bytes is -EFBIG. */
int file_read(int dir_fd, const char *name, size_t limit, struct buf *ret);

/* Makes the folder and its missing parents, mode 0700 for what it makes. */
int file_make_dirs(const char *path, struct err *err);

/* Opens a folder (O_DIRECTORY | O_CLOEXEC). Returns the descriptor or a negative errno. */
int file_open_dir(int dir_fd, const char *name);

/* Removes name and, if it is a folder, everything below, without following links. Absent is not an error. */
int file_remove_tree(int dir_fd, const char *name, struct err *err);

/* Copies source's bytes to the empty file target, as a reflink where possible, else only the parts that hold
 * data. */
int file_copy_sparse(int source, int target, struct err *err);

/*
 * Waits for the lock (flock(2), exclusive), at most limit_s seconds: -EBUSY. Goes with the descriptor. For
 * commands: it uses the alarm of the process.
 */
int file_lock(int fd, unsigned limit_s);

/* Bytes that an ordinary user may still write to the file system behind the descriptor. */
int file_space_left(int fd, uint64_t *ret_bytes);

static inline void file_close_dir(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}
#define auto_dir __attribute__((cleanup(file_close_dir)))
