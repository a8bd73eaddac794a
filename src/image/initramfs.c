#include "image/initramfs.h"

#include "base/fd.h"
#include "base/file.h"
#include "base/hash.h"
#include "image/cpio.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>

enum { FORMAT_VERSION = 1, GUEST_MAX_BYTES = 64 << 20, MODULES_MAX_BYTES = 256 << 20 };
enum {
	KEY_CHARS = INITRAMFS_ID_BYTES - 1,
	FILE_NAME_BYTES = 128,
	CONSOLE_MAJOR = 5,
	CONSOLE_MINOR = 1,
	OLD_SECONDS = 600
};

static int read_guest(struct buf *ret, struct err *err)
{
	char path[PATH_ROOM_BYTES];
	int r = paths_program("sbx-guest", path, err);

	if (r < 0)
		return r;
	r = file_read(AT_FDCWD, path, GUEST_MAX_BYTES, ret);
	return r < 0 ? err_errno(err, r, "cannot read '%s'", path) : 0;
}

/* "initramfs-NAME-KEY", where the key follows from everything that the content follows from. */
static int make_name(const char *name, const char *template_id, struct slice guest, char *ret)
{
	char digest[HASH_TEXT_BYTES], all[2 * HASH_TEXT_BYTES];
	int r = hash_bytes(guest, digest);

	if (r < 0)
		return r;
	snprintf(all, sizeof(all), "%d %s %s", FORMAT_VERSION, template_id, digest);
	r = hash_bytes(slice_text(all), digest);
	if (r < 0)
		return r;
	snprintf(ret, FILE_NAME_BYTES, "initramfs-%s-%.*s", name, KEY_CHARS, digest);
	return 0;
}

static int compose(struct buf *into, struct slice guest, int modules_fd)
{
	static const char *const folders[] = {"dev", "proc", "sys", "run", "mnt", "tmp"};
	int r = 0;

	for (size_t i = 0; r == 0 && i < array_len(folders); i++)
		r = cpio_add_dir(into, folders[i], 0755);
	/* Without it the kernel starts /init with no standard descriptors. */
	if (r == 0)
		r = cpio_add_char_device(into, "dev/console", 0600, CONSOLE_MAJOR, CONSOLE_MINOR);
	if (r == 0)
		r = cpio_add_file(into, "init", 0755, guest);
	if (r == 0)
		r = cpio_end(into);
	if (r == 0 && lseek(modules_fd, 0, SEEK_SET) < 0)
		r = -errno;
	return r == 0 ? fd_read_all(modules_fd, into->len + MODULES_MAX_BYTES, into) : r;
}

/* Written by several callers at once if need be, each to a name of its own; all would have written the same.
 */
static int publish(int cache_fd, const char *file, struct slice content)
{
	char temporary[FILE_NAME_BYTES + 32];
	autofd int fd = -1;
	unsigned int random = 0;
	int r;

	if (getrandom(&random, sizeof(random), 0) < 0)
		return -errno;
	snprintf(temporary, sizeof(temporary), ".%s.%08x", file, random);
	fd = openat(cache_fd, temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	r = fd_write_all(fd, content);
	if (r == 0 && (fsync(fd) < 0 || renameat(cache_fd, temporary, cache_fd, file) < 0))
		r = -errno;
	if (r < 0)
		unlinkat(cache_fd, temporary, 0);
	return r;
}

/* Same template, another key; or what a killed writer left. */
static bool is_stale(int cache_fd, const char *entry, const char *file)
{
	size_t prefix = strlen(file) - KEY_CHARS;
	struct stat info;

	if (strncmp(entry, file, prefix) == 0)
		return strlen(entry) == strlen(file) && strcmp(entry, file) != 0;
	return strncmp(entry, ".initramfs-", 11) == 0 &&
	       fstatat(cache_fd, entry, &info, AT_SYMLINK_NOFOLLOW) == 0 &&
	       info.st_mtim.tv_sec + OLD_SECONDS < time(NULL);
}

static void remove_stale(int cache_fd, const char *file)
{
	int fd = openat(cache_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_dir DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		if (is_stale(cache_fd, entry->d_name, file))
			(void)unlinkat(cache_fd, entry->d_name, 0);
}

int initramfs_open(const struct paths *paths, const char *name, const char *template_id, int modules_fd,
		   char ret_id[INITRAMFS_ID_BYTES], struct err *err)
{
	auto_buf struct buf guest = {0}, content = {0};
	char file[FILE_NAME_BYTES];
	autofd int cache_fd = file_open_dir(AT_FDCWD, paths->cache);
	int r, fd;

	if (cache_fd < 0)
		return err_errno(err, cache_fd, "cannot open '%s'", paths->cache);
	r = read_guest(&guest, err);
	if (r < 0)
		return r;
	r = make_name(name, template_id, buf_slice(&guest), file);
	if (r < 0)
		return err_errno(err, r, "cannot name the initramfs");
	memcpy(ret_id, file + strlen(file) - KEY_CHARS, KEY_CHARS + 1);
	fd = openat(cache_fd, file, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd >= 0)
		return fd;
	r = compose(&content, buf_slice(&guest), modules_fd);
	if (r == 0)
		r = publish(cache_fd, file, buf_slice(&content));
	if (r < 0)
		return err_errno(err, r, "cannot write the initramfs in '%s'", paths->cache);
	remove_stale(cache_fd, file);
	fd = openat(cache_fd, file, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? err_errno(err, -errno, "cannot open the initramfs in '%s'", paths->cache) : fd;
}
