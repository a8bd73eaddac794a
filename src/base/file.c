#include "base/file.h"

#include "base/fd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <signal.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

enum { NAME_ROOM_BYTES = 300, COPY_STEP_BYTES = 64 << 20 };

static int write_and_sync(int dir_fd, const char *name, mode_t mode, struct slice content)
{
	autofd int fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, mode);
	int r;

	if (fd < 0)
		return -errno;
	r = fd_write_all(fd, content);
	if (r < 0)
		return r;
	return fsync(fd) < 0 ? -errno : 0;
}

int file_write_atomic(int dir_fd, const char *name, mode_t mode, struct slice content, struct err *err)
{
	char temporary[NAME_ROOM_BYTES];
	int r;

	snprintf(temporary, sizeof(temporary), ".%s.new", name);
	r = write_and_sync(dir_fd, temporary, mode, content);
	if (r == 0 && renameat(dir_fd, temporary, dir_fd, name) < 0)
		r = -errno;
	if (r < 0) {
		unlinkat(dir_fd, temporary, 0);
		return err_errno(err, r, "cannot write '%s'", name);
	}
	if (fsync(dir_fd) < 0)
		return err_errno(err, -errno, "cannot sync the folder of '%s'", name);
	return 0;
}

int file_read(int dir_fd, const char *name, size_t limit, struct buf *ret)
{
	autofd int fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat info;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &info) < 0)
		return -errno;
	if (!S_ISREG(info.st_mode))
		return -EINVAL;
	return fd_read_all(fd, limit, ret);
}

int file_make_dirs(const char *path, struct err *err)
{
	autofree char *copy = strdup(path);

	if (!copy)
		return err_errno(err, -ENOMEM, "cannot make the folder '%s'", path);
	for (char *slash = strchr(copy + 1, '/');; slash = strchr(slash + 1, '/')) {
		if (slash)
			*slash = '\0';
		if (mkdir(copy, 0700) < 0 && errno != EEXIST)
			return err_errno(err, -errno, "cannot make the folder '%s'", copy);
		if (!slash)
			return 0;
		*slash = '/';
	}
}

int file_open_dir(int dir_fd, const char *name)
{
	int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/* NOLINTNEXTLINE(misc-no-recursion): as deep as the tree, which this program made itself */
static int remove_below(int dir_fd, const char *name, struct err *err)
{
	int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	auto_dir DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	if (!dir)
		return err_errno(err, -errno, "cannot open '%s' to remove it", name);
	while ((entry = readdir(dir))) {
		int r;

		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		r = file_remove_tree(dirfd(dir), entry->d_name, err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* NOLINTNEXTLINE(misc-no-recursion): see remove_below */
int file_remove_tree(int dir_fd, const char *name, struct err *err)
{
	int r;

	if (unlinkat(dir_fd, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return err_errno(err, -errno, "cannot remove '%s'", name);
	r = remove_below(dir_fd, name, err);
	if (r < 0)
		return r;
	if (unlinkat(dir_fd, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
		return err_errno(err, -errno, "cannot remove the folder '%s'", name);
	return 0;
}

static int copy_range(int source, int target, off_t begin, off_t end)
{
	if (lseek(target, begin, SEEK_SET) < 0)
		return -errno;
	while (begin < end) {
		size_t step =
			(size_t)(end - begin) < COPY_STEP_BYTES ? (size_t)(end - begin) : COPY_STEP_BYTES;
		ssize_t count = sendfile(target, source, &begin, step);

		if (count < 0 && errno == EINTR)
			continue;
		if (count <= 0)
			return count < 0 ? -errno : -EIO;
	}
	return 0;
}

int file_copy_sparse(int source, int target, struct err *err)
{
	struct stat info;
	off_t begin, end = 0;
	int r;

	if (ioctl(target, FICLONE, source) == 0)
		return 0;
	if (fstat(source, &info) < 0 || ftruncate(target, info.st_size) < 0)
		return err_errno(err, -errno, "cannot set the size of a copy");
	for (;;) {
		begin = lseek(source, end, SEEK_DATA);
		if (begin < 0)
			return errno == ENXIO ? 0 : err_errno(err, -errno, "cannot look for data in a file");
		end = lseek(source, begin, SEEK_HOLE);
		if (end < 0)
			return err_errno(err, -errno, "cannot look for holes in a file");
		r = copy_range(source, target, begin, end);
		if (r < 0)
			return err_errno(err, r, "cannot copy a file");
	}
}

int file_space_left(int fd, uint64_t *ret_bytes)
{
	struct statvfs info;

	if (fstatvfs(fd, &info) < 0)
		return -errno;
	*ret_bytes = (uint64_t)info.f_bavail * info.f_frsize;
	return 0;
}

static void on_alarm(int number)
{
	(void)number;
}

int file_lock(int fd, unsigned limit_s)
{
	const struct sigaction interrupt = {.sa_handler = on_alarm};
	struct sigaction before;
	int r;

	sigaction(SIGALRM, &interrupt, &before);
	alarm(limit_s);
	r = flock(fd, LOCK_EX) < 0 ? -errno : 0;
	alarm(0);
	sigaction(SIGALRM, &before, NULL);
	return r == -EINTR ? -EBUSY : r;
}
