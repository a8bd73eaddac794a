#include "base/file.h"
#include "base/spawn.h"
#include "image/builder.h"
#include "image/environment.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/random.h>
#include <sys/stat.h>

enum {
	SUFFIX_CHARS = 8,
	TRIES = 8,
	REMOVE_LIMIT_MS = 60000,
	MOUNT_POINT_BYTES = 4096, /* of which sscanf below fills all but one */
	MOUNTS_MAX_BYTES = 4 << 20
};

static const char scratch_prefix[] = "/var/tmp/sbx-build-";
static const char record_name[] = "scratch";

/*
 * Deepest first, because what is mounted later is listed later. Only root's builds mount in this process's
 * own namespace; what they have mounted, /proc and /sys above all, must not be walked into by a removal.
 */
static int unmount_below(const char *folder, struct err *err)
{
	size_t len = strlen(folder);

	for (;;) {
		auto_buf struct buf table = {0};
		char last[MOUNT_POINT_BYTES] = "", point[MOUNT_POINT_BYTES];
		char *save = NULL;

		if (file_read(AT_FDCWD, "/proc/self/mountinfo", MOUNTS_MAX_BYTES, &table) < 0)
			return err_set(err, -EIO, "cannot read the table of mounts");
		if (table.len == 0)
			return 0;
		for (char *line = strtok_r(table.data + table.start, "\n", &save); line;
		     line = strtok_r(NULL, "\n", &save))
			if (sscanf(line, "%*s %*s %*s %*s %4095s", point) == 1 &&
			    strncmp(point, folder, len) == 0 && point[len] == '/')
				memcpy(last, point, sizeof(last));
		if (last[0] == '\0')
			return 0;
		if (umount2(last, MNT_DETACH | UMOUNT_NOFOLLOW) < 0)
			return err_errno(err, -errno, "cannot unmount '%s'", last);
	}
}

/* Below the folder lie files of sub-uids, which only the root of their user namespace may remove. */
static void remove_as_sub_root(const char *path)
{
	char tool[PATH_ROOM_BYTES];
	const char *const argv[] = {"mmdebstrap", "--unshare-helper", "rm", "-rf", "--one-file-system", path,
				    NULL};
	auto_environment struct environment env = {0};
	struct spawn spawn = {.program = tool,
			      .argv = argv,
			      .env = (const char *const *)env.list,
			      .fds = {-1, -1, -1},
			      .n_fds = 3};
	int status;
	pid_t pid;

	if (builder_find_tool("mmdebstrap", tool) < 0 || environment_pick(&env) < 0)
		return;
	if (spawn_start(&spawn, &pid, NULL) < 0)
		return;
	/* It complains that it may not remove the folder itself; we see below what is left. */
	if (spawn_wait(pid, REMOVE_LIMIT_MS, &status) == 0)
		return;
	kill(pid, SIGKILL);
	(void)spawn_wait(pid, REMOVE_LIMIT_MS, &status);
}

static int remove_scratch(const char *path, struct err *err)
{
	struct stat info;
	int r;

	if (strncmp(path, scratch_prefix, strlen(scratch_prefix)) != 0 ||
	    strchr(path + strlen(scratch_prefix), '/'))
		return 0;
	/* /var/tmp is everybody's: what lies there under this name may be somebody else's. */
	if (lstat(path, &info) < 0 || !S_ISDIR(info.st_mode) || info.st_uid != geteuid())
		return 0;
	if (geteuid() != 0) {
		/* Whoever removes below a folder must be able to list it. */
		if (chmod(path, 0755) < 0)
			return err_errno(err, -errno, "cannot open '%s'", path);
		remove_as_sub_root(path);
		return file_remove_tree(AT_FDCWD, path, err);
	}
	r = unmount_below(path, err);
	return r < 0 ? r : file_remove_tree(AT_FDCWD, path, err);
}

/* The scratch first: its name is in the other. */
static int remove_work(const struct builder *builder, const char *work, struct err *err)
{
	auto_buf struct buf record = {0};
	autofd int work_fd =
		openat(builder->folder_fd, work, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int r;

	if (work_fd >= 0 && file_read(work_fd, record_name, BUILDER_SCRATCH_BYTES, &record) == 0) {
		r = remove_scratch(buf_text(&record), err);
		if (r < 0)
			return r;
	}
	return file_remove_tree(builder->folder_fd, work, err);
}

static void close_dir(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

int builder_remove_leftovers(const struct builder *builder, struct err *err)
{
	int fd = openat(builder->folder_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	__attribute__((cleanup(close_dir))) DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	char prefix[BUILDER_WORK_BYTES];
	struct dirent *entry;
	int len = snprintf(prefix, sizeof(prefix), ".new-%s-", builder->name), r;

	if (!dir)
		return err_errno(err, -errno, "cannot look into '%s'", builder->folder);
	while ((entry = readdir(dir))) {
		if (strncmp(entry->d_name, prefix, (size_t)len) != 0 ||
		    strlen(entry->d_name) != (size_t)len + SUFFIX_CHARS)
			continue;
		r = remove_work(builder, entry->d_name, err);
		if (r < 0)
			return err_add(err, r, "removing what an interrupted build left in '%s'",
				       builder->folder);
	}
	return 0;
}

int builder_remove_scratch(const struct builder *builder, struct err *err)
{
	int r = remove_scratch(builder->scratch, err);

	if (r < 0)
		return r;
	return unlinkat(builder->work_fd, record_name, 0) < 0 && errno != ENOENT ? -errno : 0;
}

static int make_work(struct builder *builder, struct err *err)
{
	for (int i = 0; i < TRIES; i++) {
		unsigned int random = 0;

		if (getrandom(&random, sizeof(random), 0) < 0)
			return err_errno(err, -errno, "no randomness");
		snprintf(builder->work, sizeof(builder->work), ".new-%s-%08x", builder->name, random);
		snprintf(builder->scratch, sizeof(builder->scratch), "%s%08x", scratch_prefix, random);
		if (access(builder->scratch, F_OK) == 0)
			continue;
		if (mkdirat(builder->folder_fd, builder->work, 0700) == 0) {
			builder->work_fd = file_open_dir(builder->folder_fd, builder->work);
			return builder->work_fd < 0 ? builder->work_fd : 0;
		}
		if (errno != EEXIST)
			break;
	}
	return err_errno(err, -errno, "cannot make a folder in '%s'", builder->folder);
}

int builder_make_folders(struct builder *builder, struct err *err)
{
	int r = make_work(builder, err);

	if (r < 0)
		return r;
	/* Recorded before it is made, so that it can be found whenever we are killed. */
	r = file_write_atomic(builder->work_fd, record_name, 0600, slice_text(builder->scratch), err);
	if (r < 0)
		return r;
	if (mkdir(builder->scratch, 0700) < 0 || chmod(builder->scratch, 0711) < 0)
		return err_errno(err, -errno, "cannot make '%s'", builder->scratch);
	return 0;
}
