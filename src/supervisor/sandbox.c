#include "supervisor/sandbox-file.h"

#include "base/fd.h"
#include "base/file.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>

void sandbox_done(struct sandbox *sandbox)
{
	free(sandbox->agent);
	free(sandbox->workspace);
	free(sandbox->template);
	sandbox_names_free(sandbox->env);
	sandbox_names_free(sandbox->guard);
	while (sandbox->n_shares > 0)
		sandbox_drop_share(sandbox, &sandbox->shares[sandbox->n_shares - 1]);
	free(sandbox->shares);
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

const char *sandbox_word(enum shelf shelf)
{
	return shelf == SHELF_SNAPSHOTS ? "snapshot" : "sandbox";
}

int sandbox_open_shelf(const struct paths *paths, enum shelf shelf, struct err *err)
{
	static const char *const folders[] = {
		[SHELF_SANDBOXES] = "sandboxes", [SHELF_SNAPSHOTS] = "snapshots", [SHELF_STARTS] = "starts"};
	char path[PATH_ROOM_BYTES + 16];
	int fd, r;

	snprintf(path, sizeof(path), "%s/%s", shelf == SHELF_STARTS ? paths->cache : paths->data,
		 folders[shelf]);
	r = file_make_dirs(path, err);
	if (r < 0)
		return r;
	fd = file_open_dir(AT_FDCWD, path);
	return fd < 0 ? err_errno(err, fd, "cannot open '%s'", path) : fd;
}

int sandbox_open_dir(const struct paths *paths, enum shelf shelf, const char *name, struct err *err)
{
	autofd int all = sandbox_open_shelf(paths, shelf, err);
	int fd;

	if (all < 0)
		return all;
	if (!sandbox_name_ok(name))
		return err_set(err, -EINVAL, "'%s' is not a name: " SANDBOX_NAME_RULE, name);
	fd = file_open_dir(all, name);
	if (fd == -ENOENT)
		return err_set(err, fd, "no %s '%s': 'sbx %sls' shows what there is", sandbox_word(shelf),
			       name, shelf == SHELF_SNAPSHOTS ? "snapshot " : "");
	return fd < 0 ? err_errno(err, fd, "cannot open %s '%s'", sandbox_word(shelf), name) : fd;
}

int sandbox_lock(int dir_fd, unsigned limit_s)
{
	autofd int fd = openat(dir_fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	int r;

	if (fd < 0)
		return -errno;
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		return steal_fd(&fd);
	if (errno != EWOULDBLOCK)
		return -errno;
	r = limit_s > 0 ? file_lock(fd, limit_s) : -EBUSY;
	return r < 0 ? r : steal_fd(&fd);
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
	lock = dir < 0 ? -1 : sandbox_lock(dir, 0);
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

int sandbox_names(const struct paths *paths, enum shelf shelf, char ***ret, struct err *err)
{
	int all = sandbox_open_shelf(paths, shelf, err);
	auto_dir DIR *dir = all < 0 ? NULL : fdopendir(all);
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

int sandbox_remove(const struct paths *paths, enum shelf shelf, const char *name, struct err *err)
{
	autofd int dir = sandbox_open_dir(paths, shelf, name, err);
	autofd int lock = -1, all = -1;
	char gone[SANDBOX_NAME_MAX + 48];

	if (dir < 0)
		return dir;
	lock = sandbox_lock(dir, 0);
	if (lock == -EBUSY)
		return err_set(err, lock, "%s '%s' is in use: stop it first, or use --force",
			       sandbox_word(shelf), name);
	if (lock < 0)
		return err_errno(err, lock, "cannot lock %s '%s'", sandbox_word(shelf), name);
	all = sandbox_open_shelf(paths, shelf, err);
	if (all < 0)
		return all;
	snprintf(gone, sizeof(gone), ".gone-%d-%s", getpid(), name);
	if (renameat(all, name, all, gone) < 0)
		return err_errno(err, -errno, "cannot remove %s '%s'", sandbox_word(shelf), name);
	(void)fsync(all);
	if (shelf == SHELF_SANDBOXES)
		remove_socket(paths, name);
	return file_remove_tree(all, gone, err);
}
