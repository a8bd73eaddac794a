#include "cli/folder.h"

#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { DEPTH_MAX = FOLDER_PATH_BYTES };

/* Something that is open, with the name and the numbers that the kernel has for it. */
struct spot {
	int fd;
	char path[FOLDER_PATH_BYTES];
	struct stat info;
};

static void spot_close(const struct spot *spot)
{
	if (spot->fd >= 0)
		close(spot->fd);
}
#define auto_spot __attribute__((cleanup(spot_close)))

static int spot_open(const char *path, struct spot *ret)
{
	char link[64];
	ssize_t len;

	ret->fd = open(path, O_PATH | O_CLOEXEC);
	if (ret->fd < 0)
		return -errno;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", ret->fd);
	len = readlink(link, ret->path, sizeof(ret->path));
	if (len < 0 || fstat(ret->fd, &ret->info) < 0)
		return -errno;
	if (len == sizeof(ret->path))
		return -ENAMETOOLONG;
	ret->path[len] = '\0';
	/* What is removed, or outside of this process's root, has no path that anybody could use. */
	return ret->path[0] == '/' && ret->info.st_nlink > 0 ? 0 : -ENOENT;
}

static bool is_same(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

static int open_parent(const struct spot *spot)
{
	char parent[FOLDER_PATH_BYTES];
	int fd;

	if (S_ISDIR(spot->info.st_mode)) {
		fd = openat(spot->fd, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
	} else {
		strcpy(parent, spot->path);
		*strrchr(parent, '/') = '\0';
		fd = open(parent[0] ? parent : "/", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	}
	return fd < 0 ? -errno : fd;
}

/* By numbers, folder by folder up to the root, so that neither another name for it nor a bind mount hides it.
 */
static int is_above(const struct spot *outer, const struct spot *inner)
{
	autofd int at = open_parent(inner);
	struct stat last = inner->info, info;

	for (int depth = 0; depth < DEPTH_MAX; depth++) {
		int up;

		if (at < 0 || fstat(at, &info) < 0)
			return at < 0 ? at : -errno;
		if (is_same(&info, &outer->info))
			return 1;
		if (is_same(&info, &last))
			return 0;
		last = info;
		up = openat(at, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
		close(at);
		at = up < 0 ? -errno : up;
	}
	return -ELOOP;
}

/* 1 where inner is outer or lies in it. */
static int contains(const struct spot *outer, const struct spot *inner)
{
	if (folder_has(outer->path, inner->path) || is_same(&outer->info, &inner->info))
		return 1;
	return is_above(outer, inner);
}

/* ---- judging ---- */

static int judge_kind(const struct spot *spot, bool is_read_only, struct err *err)
{
	if (!text_is_line(spot->path))
		return err_set(err, -EINVAL,
			       "'%s' cannot be shared: its name has control characters or is not valid UTF-8",
			       spot->path);
	if (S_ISDIR(spot->info.st_mode))
		return 0;
	if (!S_ISREG(spot->info.st_mode))
		return err_set(err, -ENOTDIR, "'%s' is neither a folder nor a file", spot->path);
	if (!is_read_only)
		return err_set(
			err, -EPERM,
			"'%s' is a single file, which can be shared for reading only: put ':ro' behind it",
			spot->path);
	return 0;
}

static int judge_one_home(const struct spot *spot, const char *home, bool allows_home, bool *is_home,
			  struct err *err)
{
	auto_spot struct spot known = {.fd = -1};
	int r = home && home[0] == '/' ? spot_open(home, &known) : -ENOENT;

	if (r < 0)
		return 0;
	if (is_same(&known.info, &spot->info)) {
		*is_home = true;
		if (allows_home)
			return 0;
		return err_set(
			err, -EPERM,
			"'%s' is your home folder, and a sandbox would have all that is in it: share the "
			"folder of a project, or none with --no-mount; --allow-home takes all of it",
			spot->path);
	}
	r = contains(spot, &known);
	if (r > 0)
		return err_set(err, -EPERM, "'%s' cannot be shared: your home folder lies in it", spot->path);
	return r < 0 ? err_errno(err, r, "cannot tell whether '%s' has your home folder in it", spot->path)
		     : 0;
}

static int judge_home(const struct spot *spot, bool allows_home, bool *ret_is_home, struct err *err)
{
	const struct passwd *user = getpwuid(getuid());
	int r = judge_one_home(spot, getenv("HOME"), allows_home, ret_is_home, err);

	return r < 0 ? r : judge_one_home(spot, user ? user->pw_dir : NULL, allows_home, ret_is_home, err);
}

static int judge_one_state(const struct spot *spot, const char *path, struct err *err)
{
	auto_spot struct spot state = {.fd = -1};
	int r = spot_open(path, &state), is_outside, is_inside;

	if (r == -ENOENT)
		return 0;
	is_outside = r < 0 ? r : contains(spot, &state);
	is_inside = r < 0 ? r : contains(&state, spot);
	if (is_outside < 0 || is_inside < 0)
		return err_errno(err, is_outside < 0 ? is_outside : is_inside,
				 "cannot tell whether '%s' has the state of sbx in it", spot->path);
	if (is_outside)
		return err_set(err, -EPERM,
			       "'%s' cannot be shared: sbx keeps its state in '%s' there; set SBX_HOME to a "
			       "folder elsewhere to move it",
			       spot->path, state.path);
	return is_inside ? err_set(err, -EPERM, "'%s' cannot be shared: it is part of the state of sbx",
				   spot->path)
			 : 0;
}

/* The folders below are named too, as any of them may be a link to another disk. */
static int judge_state(const struct spot *spot, const struct paths *paths, struct err *err)
{
	const struct {
		const char *above, *below;
	} places[] = {{paths->config, ""},         {paths->data, ""},
		      {paths->cache, ""},          {paths->run, ""},
		      {paths->data, "/sandboxes"}, {paths->data, "/snapshots"},
		      {paths->data, "/templates"}, {paths->cache, "/starts"}};
	char path[PATH_ROOM_BYTES + 16];
	int r = 0;

	for (size_t i = 0; r == 0 && i < array_len(places); i++) {
		snprintf(path, sizeof(path), "%s%s", places[i].above, places[i].below);
		r = judge_one_state(spot, path, err);
	}
	return r;
}

static int judge(const struct spot *spot, const struct folder_words *words, const struct paths *paths,
		 bool allows_home, struct err *err)
{
	bool is_home = false;
	int r = judge_kind(spot, words->is_read_only, err);

	r = r < 0 ? r : judge_home(spot, allows_home, &is_home, err);
	if (r == 0 && !is_home && folder_is_system(spot->path))
		return err_set(
			err, -EPERM,
			"'%s' cannot be shared: it belongs to the system; share the folder of a project, "
			"or none with --no-mount",
			spot->path);
	return r < 0 ? r : judge_state(spot, paths, err);
}

static int place(const struct folder_words *words, const char *source, char ret[FOLDER_PATH_BYTES],
		 struct err *err)
{
	if (!words->target[0])
		strcpy(ret, source);
	else if (folder_clean(words->target, "/", ret) < 0)
		return err_set(err, -ENAMETOOLONG, "the path '%.40s…' is too long", words->target);
	return folder_check_target(ret, err);
}

int folder_open(const struct folder_words *words, const struct paths *paths, bool allows_home,
		struct folder *ret, struct err *err)
{
	auto_spot struct spot spot = {.fd = -1};
	struct folder folder = {.fd = -1, .is_read_only = words->is_read_only};
	int r = spot_open(words->path, &spot);

	if (r == -ENOENT || r == -ENOTDIR)
		return err_set(err, r, "there is no folder '%s'", words->path);
	if (r < 0)
		return err_errno(err, r, "cannot open '%s'", words->path);
	r = judge(&spot, words, paths, allows_home, err);
	r = r < 0 ? r : place(words, spot.path, folder.target, err);
	if (r < 0)
		return r;
	strcpy(folder.source, spot.path);
	folder.is_file = S_ISREG(spot.info.st_mode);
	folder.fd = steal_fd(&spot.fd);
	*ret = folder;
	return 0;
}

void folder_close(struct folder *folder)
{
	if (folder->fd >= 0)
		close(steal_fd(&folder->fd));
}

/* ---- together ---- */

/* Inside, the other way in would still be open: only the host's side counts. */
static int check_pair(const struct folder *a, const struct folder *b, struct err *err)
{
	struct spot outer = {.fd = a->fd}, inner = {.fd = b->fd};
	int r;

	if (a != b && a < b && strcmp(a->target, b->target) == 0)
		return err_set(err, -EEXIST, "'%s' and '%s' cannot both be at '%s' inside", a->source,
			       b->source, a->target);
	if (a == b || a->is_read_only || !b->is_read_only)
		return 0;
	strcpy(outer.path, a->source);
	strcpy(inner.path, b->source);
	if (fstat(a->fd, &outer.info) < 0 || fstat(b->fd, &inner.info) < 0)
		return err_errno(err, -errno, "cannot look at '%s'", a->source);
	r = contains(&outer, &inner);
	if (r > 0)
		return err_set(err, -EPERM,
			       "'%s' cannot be read-only: it lies in '%s', which the sandbox may change",
			       b->source, a->source);
	return r < 0 ? err_errno(err, r, "cannot tell whether '%s' lies in '%s'", b->source, a->source) : 0;
}

int folder_check_all(const struct folder *list, size_t count, struct err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < count; i++)
		for (size_t j = 0; r == 0 && j < count; j++)
			r = check_pair(&list[i], &list[j], err);
	return r;
}
