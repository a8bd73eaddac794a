#include "supervisor/stage.h"

#include "base/file.h"
#include "base/spawn.h"
#include "supervisor/sandbox-file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>

enum { DISK_ROOM_MIN_MIB = 256, MKE2FS_LIMIT_MS = 60000 };

static int make_machine_id(char ret[33])
{
	unsigned char bytes[16];

	if (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes))
		return -EIO;
	for (size_t i = 0; i < sizeof(bytes); i++)
		snprintf(ret + 2 * i, 3, "%02x", bytes[i]);
	return 0;
}

static int find_mke2fs(const char **ret, struct err *err)
{
	static const char *const places[] = {"/usr/sbin/mke2fs", "/sbin/mke2fs"};

	for (size_t i = 0; i < array_len(places); i++) {
		if (access(places[i], X_OK) == 0) {
			*ret = places[i];
			return 0;
		}
	}
	return err_set(err, -ENOENT, "mke2fs is not installed: install the package e2fsprogs");
}

/* The file system is made here, where nothing of a guest is on it yet; from then on only guests read it. */
static int make_file_system(int disk, struct err *err)
{
	const char *const argv[] = {"mke2fs",
				    "-q",
				    "-F",
				    "-t",
				    "ext4",
				    "-m",
				    "0",
				    "-E",
				    "assume_storage_prezeroed=1,nodiscard",
				    "/proc/self/fd/3",
				    NULL};
	struct spawn spawn = {.argv = argv, .fds = {-1, -1, STDERR_FILENO, disk}, .n_fds = 4};
	int r = find_mke2fs(&spawn.program, err);
	int status = 0;
	pid_t pid;

	if (r < 0)
		return r;
	r = spawn_start(&spawn, &pid, err);
	if (r < 0)
		return r;
	r = spawn_wait(pid, MKE2FS_LIMIT_MS, &status);
	if (r < 0)
		return err_errno(err, r, "waiting for mke2fs");
	if (status != 0)
		return err_set(err, -EIO, "mke2fs could not make the file system of the new disk");
	return 0;
}

int stage_make_disk(const struct stage *stage, uint64_t mib, struct err *err)
{
	autofd int disk = openat(stage->dir, "disk.img", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (disk < 0)
		return err_errno(err, -errno, "cannot make a disk");
	if (ftruncate(disk, (off_t)(mib << 20)) < 0)
		return err_errno(err, -errno, "cannot make a disk of %llu MiB", (unsigned long long)mib);
	return make_file_system(disk, err);
}

static int exists(const struct stage *stage, const char *name, struct err *err)
{
	return err_set(err, -EEXIST, "there is a %s '%s' already: use another name",
		       sandbox_word(stage->shelf), name);
}

static int check_room(int dir, struct err *err)
{
	uint64_t left;

	if (file_space_left(dir, &left) < 0 || left >> 20 >= DISK_ROOM_MIN_MIB)
		return 0;
	return err_set(
		err, -ENOSPC,
		"only %llu MiB are free where sandboxes are kept, and a new one needs at least %d MiB: free "
		"some space or set SBX_HOME to another disk",
		(unsigned long long)(left >> 20), DISK_ROOM_MIN_MIB);
}

int stage_open(const struct paths *paths, enum shelf shelf, struct sandbox *sandbox, struct stage *ret,
	       struct err *err)
{
	int r = 0;

	*ret = (struct stage){.dir = -1, .shelf = shelf};
	ret->all = sandbox_open_shelf(paths, shelf, err);
	if (ret->all < 0)
		return ret->all;
	if (!sandbox_name_ok(sandbox->name))
		return err_set(err, -EINVAL, "'%s' cannot be a name: " SANDBOX_NAME_RULE, sandbox->name);
	if (faccessat(ret->all, sandbox->name, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return exists(ret, sandbox->name, err);
	r = check_room(ret->all, err);
	if (r < 0)
		return r;
	if (!sandbox->machine_id[0])
		r = make_machine_id(sandbox->machine_id);
	if (r < 0)
		return err_errno(err, r, "cannot make a machine id");
	sandbox->created = time(NULL);
	snprintf(ret->temporary, sizeof(ret->temporary), ".new-%d-%s", getpid(), sandbox->name);
	if (mkdirat(ret->all, ret->temporary, 0700) < 0)
		return err_errno(err, -errno, "cannot make a folder for the %s", sandbox_word(shelf));
	ret->dir = file_open_dir(ret->all, ret->temporary);
	return ret->dir < 0 ? err_errno(err, ret->dir, "cannot open the new folder") : 0;
}

void stage_empty(const struct stage *stage)
{
	static const char *const names[] = {"disk.img", "base", "saved"};

	for (size_t i = 0; i < array_len(names); i++)
		(void)file_remove_tree(stage->dir, names[i], NULL);
}

int stage_publish(struct stage *stage, const struct sandbox *sandbox, struct err *err)
{
	int r = sandbox_save(stage->dir, sandbox, err);

	if (r < 0)
		return r;
	if (renameat2(stage->all, stage->temporary, stage->all, sandbox->name, RENAME_NOREPLACE) < 0)
		return errno == EEXIST ? exists(stage, sandbox->name, err)
				       : err_errno(err, -errno, "cannot name the %s '%s'",
						   sandbox_word(stage->shelf), sandbox->name);
	stage->temporary[0] = '\0';
	(void)fsync(stage->all);
	return 0;
}

void stage_done(struct stage *stage)
{
	if (stage->temporary[0] && stage->all >= 0)
		(void)file_remove_tree(stage->all, stage->temporary, NULL);
	if (stage->dir >= 0)
		close(stage->dir);
	if (stage->all >= 0)
		close(stage->all);
	*stage = STAGE_NONE;
}
