#include "guest/notice.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "guest/handle.h"
#include "guest/worker.h"
#include "wire/share.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

enum { ROOT = 1, WATCHER_MEMORY_MS = 100, PATH_BYTES = 600, INFO_MAX_BYTES = 65536 };

struct notices {
	struct worker *worker;
	struct worker *toucher; /* looking for watchers takes long, and invalidations do not wait for it */
	struct relay_place place;
	int64_t looked_ms; /* when watchers were looked for last */
	bool has_watchers;
};

/* ---- is there somebody to tell? ---- */

static bool watches(int dir, const char *name, const char *wanted)
{
	auto_buf struct buf info = {0};

	return file_read(dir, name, INFO_MAX_BYTES, &info) == 0 && strstr(buf_text(&info), wanted);
}

static bool process_watches(const char *pid, const char *wanted)
{
	char path[PATH_BYTES];
	auto_dir DIR *dir = NULL;
	const struct dirent *entry;

	snprintf(path, sizeof(path), "/proc/%s/fd", pid);
	dir = opendir(path);
	while (dir && (entry = readdir(dir))) {
		char target[32] = "";

		if (readlinkat(dirfd(dir), entry->d_name, target, sizeof(target) - 1) < 0 ||
		    strcmp(target, "anon_inode:inotify") != 0)
			continue;
		snprintf(path, sizeof(path), "/proc/%s/fdinfo/%s", pid, entry->d_name);
		if (watches(AT_FDCWD, path, wanted))
			return true;
	}
	return false;
}

/* The kernel names the file system that an inotify watch is on by its device number. */
static bool find_watchers(int root)
{
	auto_dir DIR *proc = opendir("/proc");
	const struct dirent *entry;
	char wanted[32];
	struct stat info;

	if (!proc || fstat(root, &info) < 0)
		return true;
	snprintf(wanted, sizeof(wanted), " sdev:%x ", major(info.st_dev) << 20 | minor(info.st_dev));
	while ((entry = readdir(proc)))
		if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9' &&
		    process_watches(entry->d_name, wanted))
			return true;
	return false;
}

static bool has_watchers(struct notices *notices)
{
	int64_t now = clock_ms();

	if (notices->looked_ms == 0 || now - notices->looked_ms > WATCHER_MEMORY_MS) {
		notices->has_watchers = find_watchers(notices->place.root);
		notices->looked_ms = clock_ms();
	}
	return notices->has_watchers;
}

/* ---- what there is to do ---- */

static void touch(void *owner, struct slice body)
{
	struct notices *notices = owner;
	static const struct timespec times[] = {
		{.tv_nsec = UTIME_OMIT}, {.tv_sec = SHARE_TOUCH_SECONDS, .tv_nsec = SHARE_TOUCH_NANOSECONDS}};
	struct share_touch touched;
	autofd int dir = -1;

	if (body.len <= sizeof(touched) || body.ptr[body.len - 1] != '\0' || !has_watchers(notices))
		return;
	memcpy(&touched, body.ptr, sizeof(touched));
	body = slice_skip(body, sizeof(touched));
	dir = handle_open(notices->place.root, touched.dir, O_PATH);
	/* What the kernel has forgotten, nobody watches. */
	if (dir >= 0)
		(void)utimensat(dir, body.ptr, times, AT_SYMLINK_NOFOLLOW | (*body.ptr ? 0 : AT_EMPTY_PATH));
}

/* Mounting anew with the same options lets the kernel forget the names that nobody uses. */
static void drop(struct notices *notices)
{
	if (mount(NULL, notices->place.target, NULL, MS_REMOUNT, "default_permissions,allow_other") < 0)
		log_line("what is cached of %s stays: %s", notices->place.target, strerror(errno));
}

static void work(void *owner, struct slice message)
{
	struct notices *notices = owner;
	struct fuse_out_header head;

	memcpy(&head, message.ptr, sizeof(head));
	if (head.error == SHARE_NOTIFY_TOUCH)
		(void)worker_push(notices->toucher, slice_skip(message, sizeof(head)));
	else if (head.error == SHARE_NOTIFY_DROP)
		drop(notices);
	/* ENOENT: the kernel has nothing of it. EBUSY, ENOTEMPTY: it has more below it than was removed. */
	else if (write(notices->place.fuse, message.ptr, message.len) < 0 && errno != ENOENT &&
		 errno != ENOTDIR && errno != ENODEV && errno != ENOTCONN && errno != EBUSY &&
		 errno != ENOTEMPTY)
		log_line("the kernel refuses the notice %d: %s", head.error, strerror(errno));
}

int notices_new(const struct relay_place *place, struct notices **ret)
{
	struct notices *notices = calloc(1, sizeof(*notices));
	int r = notices ? 0 : -ENOMEM;

	if (r < 0)
		return r;
	notices->place = *place;
	r = worker_new(touch, notices, &notices->toucher);
	r = r < 0 ? r : worker_new(work, notices, &notices->worker);
	if (r < 0)
		free(notices);
	else
		*ret = notices;
	return r;
}

void notices_add(struct notices *notices, struct slice message)
{
	const struct fuse_out_header drop_head = {.len = sizeof(drop_head), .error = SHARE_NOTIFY_DROP};

	if (worker_push(notices->worker, message) == 0)
		return;
	worker_clear(notices->worker);
	(void)worker_push(notices->worker, slice_of(&drop_head, sizeof(drop_head)));
}
