#include "supervisor/sandbox-file.h"

#include "base/fd.h"
#include "base/file.h"
#include "base/spawn.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>

enum { DISK_ROOM_MIN_MIB = 256, MKE2FS_LIMIT_MS = 60000 };

void sandbox_done(struct sandbox *sandbox)
{
	free(sandbox->agent);
	free(sandbox->workspace);
	free(sandbox->template);
	for (char **env = sandbox->env; env && *env; env++)
		free(*env);
	free(sandbox->env);
	*sandbox = (struct sandbox){0};
}

bool sandbox_name_ok(const char *name)
{
	size_t len = strlen(name);

	if (len < SANDBOX_NAME_MIN || len > SANDBOX_NAME_MAX || !isalnum((unsigned char)name[0]))
		return false;
	for (; *name; name++)
		if (!isascii(*name) || (!isalnum((unsigned char)*name) && *name != '-' && *name != '.'))
			return false;
	return true;
}

static int open_all(const struct paths *paths, struct err *err)
{
	char path[PATH_ROOM_BYTES + 16];
	int fd, r;

	snprintf(path, sizeof(path), "%s/sandboxes", paths->data);
	r = file_make_dirs(path, err);
	if (r < 0)
		return r;
	fd = file_open_dir(AT_FDCWD, path);
	return fd < 0 ? err_errno(err, fd, "cannot open '%s'", path) : fd;
}

int sandbox_open_dir(const struct paths *paths, const char *name, struct err *err)
{
	autofd int all = open_all(paths, err);
	int fd;

	if (all < 0)
		return all;
	if (!sandbox_name_ok(name))
		return err_set(err, -EINVAL, "'%s' is not a sandbox name: " SANDBOX_NAME_RULE, name);
	fd = file_open_dir(all, name);
	if (fd == -ENOENT)
		return err_set(err, fd, "no sandbox '%s': 'sbx ls' shows what there is", name);
	return fd < 0 ? err_errno(err, fd, "cannot open sandbox '%s'", name) : fd;
}

int sandbox_lock(int dir_fd)
{
	autofd int fd = openat(dir_fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0)
		return -errno;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK ? -EBUSY : -errno;
	return steal_fd(&fd);
}

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

static int make_disk(int dir_fd, uint64_t mib, struct err *err)
{
	autofd int disk = openat(dir_fd, "disk.img", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	uint64_t left;

	if (disk < 0)
		return err_errno(err, -errno, "cannot make a disk");
	if (file_space_left(disk, &left) == 0 && left >> 20 < DISK_ROOM_MIN_MIB)
		return err_set(err, -ENOSPC,
			       "only %llu MiB are free where sandboxes are kept, and a new one needs at "
			       "least %d MiB: "
			       "free some space or set SBX_HOME to another disk",
			       (unsigned long long)(left >> 20), DISK_ROOM_MIN_MIB);
	if (ftruncate(disk, (off_t)(mib << 20)) < 0)
		return err_errno(err, -errno, "cannot make a disk of %llu MiB", (unsigned long long)mib);
	return make_file_system(disk, err);
}

static int fill(int all, const char *temporary, struct sandbox *sandbox, struct err *err)
{
	autofd int dir = -1;
	int r;

	if (mkdirat(all, temporary, 0700) < 0)
		return err_errno(err, -errno, "cannot make a folder for the sandbox");
	dir = file_open_dir(all, temporary);
	if (dir < 0)
		return err_errno(err, dir, "cannot open the sandbox's new folder");
	r = make_disk(dir, sandbox->disk_mib, err);
	if (r < 0)
		return r;
	return sandbox_save(dir, sandbox, err);
}

int sandbox_create(const struct paths *paths, struct sandbox *sandbox, struct err *err)
{
	autofd int all = open_all(paths, err);
	char temporary[SANDBOX_NAME_MAX + 48];
	int r;

	if (all < 0)
		return all;
	if (!sandbox_name_ok(sandbox->name))
		return err_set(err, -EINVAL, "'%s' cannot be a name: " SANDBOX_NAME_RULE, sandbox->name);
	if (faccessat(all, sandbox->name, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return err_set(err, -EEXIST, "there is a sandbox '%s' already: use another --name",
			       sandbox->name);
	r = make_machine_id(sandbox->machine_id);
	if (r < 0)
		return err_errno(err, r, "cannot make a machine id");
	sandbox->created = time(NULL);
	snprintf(temporary, sizeof(temporary), ".new-%d-%s", getpid(), sandbox->name);
	r = fill(all, temporary, sandbox, err);
	if (r == 0 && renameat2(all, temporary, all, sandbox->name, RENAME_NOREPLACE) < 0)
		r = errno == EEXIST
			    ? err_set(err, -EEXIST, "there is a sandbox '%s' already: use another --name",
				      sandbox->name)
			    : err_errno(err, -errno, "cannot name the sandbox '%s'", sandbox->name);
	if (r < 0)
		(void)file_remove_tree(all, temporary, NULL);
	else
		(void)fsync(all);
	return r;
}

/* A left-over is ours to remove when the process that its name carries is gone, or when nobody has locked it.
 */
static bool is_left_over(int all, const char *name)
{
	autofd int dir = -1, lock = -1;
	int pid;

	if (sscanf(name, ".new-%d-", &pid) == 1)
		return kill(pid, 0) < 0 && errno == ESRCH;
	if (strncmp(name, ".gone-", 6) != 0)
		return false;
	dir = file_open_dir(all, name);
	lock = dir < 0 ? -1 : sandbox_lock(dir);
	return lock >= 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int add_name(char ***names, size_t *count, const char *name)
{
	char **grown = realloc(*names, (*count + 2) * sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	*names = grown;
	grown[*count] = strdup(name);
	if (!grown[*count])
		return -ENOMEM;
	grown[++*count] = NULL;
	return 0;
}

void sandbox_names_free(char **names)
{
	for (char **name = names; name && *name; name++)
		free(*name);
	free(names);
}

static void close_dir(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

int sandbox_names(const struct paths *paths, char ***ret, struct err *err)
{
	int all = open_all(paths, err);
	__attribute__((cleanup(close_dir))) DIR *dir = all < 0 ? NULL : fdopendir(all);
	char **names = calloc(1, sizeof(*names));
	struct dirent *entry;
	size_t count = 0;
	int r = names ? 0 : -ENOMEM;

	if (all < 0) {
		free(names);
		return all;
	}
	while (r == 0 && (entry = readdir(dir))) {
		if (sandbox_name_ok(entry->d_name))
			r = add_name(&names, &count, entry->d_name);
		else if (is_left_over(all, entry->d_name))
			(void)file_remove_tree(all, entry->d_name, NULL);
	}
	if (r < 0) {
		sandbox_names_free(names);
		return err_errno(err, r, "cannot list the sandboxes");
	}
	qsort(names, count, sizeof(*names), by_name);
	*ret = names;
	return 0;
}

/* A supervisor that was killed has left it. */
static void remove_socket(const struct paths *paths, const char *name)
{
	char path[PATH_ROOM_BYTES + SANDBOX_NAME_MAX + 8];

	snprintf(path, sizeof(path), "%s/%s.sock", paths->run, name);
	(void)unlink(path);
}

int sandbox_remove(const struct paths *paths, const char *name, struct err *err)
{
	autofd int dir = sandbox_open_dir(paths, name, err);
	autofd int lock = -1, all = -1;
	char gone[SANDBOX_NAME_MAX + 48];

	if (dir < 0)
		return dir;
	lock = sandbox_lock(dir);
	if (lock == -EBUSY)
		return err_set(err, lock, "sandbox '%s' is running: stop it first, or use --force", name);
	if (lock < 0)
		return err_errno(err, lock, "cannot lock sandbox '%s'", name);
	all = open_all(paths, err);
	if (all < 0)
		return all;
	snprintf(gone, sizeof(gone), ".gone-%d-%s", getpid(), name);
	if (renameat(all, name, all, gone) < 0)
		return err_errno(err, -errno, "cannot remove sandbox '%s'", name);
	(void)fsync(all);
	remove_socket(paths, name);
	return file_remove_tree(all, gone, err);
}
