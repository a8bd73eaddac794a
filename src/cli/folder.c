#include "cli/folder.h"

#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { DEPTH_MAX = FOLDER_PATH_BYTES };

/* What a row of a table of paths means. */
enum reach { ITSELF, AND_CHILDREN, AND_ALL_BELOW };

struct row {
	const char *path;
	enum reach reach;
};

/* Of the host: nobody works there, and what the system or other users keep there is not a sandbox's. */
static const struct row host_system[] = {
	{"/", ITSELF},           {"/proc", AND_ALL_BELOW}, {"/sys", AND_ALL_BELOW},
	{"/dev", AND_ALL_BELOW}, {"/boot", AND_ALL_BELOW}, {"/etc", AND_ALL_BELOW},
	{"/run", AND_ALL_BELOW}, {"/bin", ITSELF},         {"/sbin", ITSELF},
	{"/lib", ITSELF},        {"/lib32", ITSELF},       {"/lib64", ITSELF},
	{"/libx32", ITSELF},     {"/usr", AND_CHILDREN},   {"/var", AND_CHILDREN},
	{"/home", ITSELF},       {"/root", ITSELF},        {"/opt", ITSELF},
	{"/srv", ITSELF},        {"/mnt", ITSELF},         {"/media", ITSELF},
	{"/tmp", ITSELF},
};

/* Of the sandbox: it would not run without them. */
static const struct row guest_system[] = {
	{"/", ITSELF},
	{"/bin", AND_ALL_BELOW},
	{"/sbin", AND_ALL_BELOW},
	{"/lib", AND_ALL_BELOW},
	{"/lib32", AND_ALL_BELOW},
	{"/lib64", AND_ALL_BELOW},
	{"/libx32", AND_ALL_BELOW},
	{"/usr", AND_ALL_BELOW},
	{"/etc", AND_ALL_BELOW},
	{"/proc", AND_ALL_BELOW},
	{"/sys", AND_ALL_BELOW},
	{"/dev", AND_ALL_BELOW},
	{"/boot", AND_ALL_BELOW},
	{"/run", AND_ALL_BELOW},
	{"/var", AND_CHILDREN},
	{"/var/run", AND_ALL_BELOW},
	{"/var/lock", AND_ALL_BELOW},
	{"/var/lib/docker", AND_ALL_BELOW},
	{"/var/lib/containerd", AND_ALL_BELOW},
	{"/home", ITSELF},
	{"/home/agent", ITSELF},
	{"/root", ITSELF},
	{"/tmp", ITSELF},
	{"/opt", ITSELF},
	{"/srv", ITSELF},
	{"/mnt", ITSELF},
	{"/media", ITSELF},
};

/* What lies in these is a person's, for all that it lies in /usr. */
static const char *const guest_sources[] = {"/usr/src", "/usr/local/src"};

/* ---- names ---- */

bool folder_has(const char *folder, const char *path)
{
	size_t len = strlen(folder);

	if (len == 1)
		return true;
	return strncmp(path, folder, len) == 0 && (path[len] == '\0' || path[len] == '/');
}

static bool is_listed(const struct row *rows, size_t count, const char *path)
{
	for (size_t i = 0; i < count; i++) {
		size_t len = strlen(rows[i].path);

		if (strcmp(path, rows[i].path) == 0)
			return true;
		if (rows[i].reach == ITSELF || !folder_has(rows[i].path, path))
			continue;
		if (rows[i].reach == AND_ALL_BELOW || !strchr(path + len + 1, '/'))
			return true;
	}
	return false;
}

int folder_check_target(const char *target, struct err *err)
{
	for (size_t i = 0; i < array_len(guest_sources); i++)
		if (strcmp(target, guest_sources[i]) != 0 && folder_has(guest_sources[i], target))
			return 0;
	if (!is_listed(guest_system, array_len(guest_system), target))
		return 0;
	return err_set(
		err, -EPERM,
		"nothing can be put at '%s' inside, the sandbox has its own there: '--mount PATH:TARGET' "
		"takes another place",
		target);
}

/* Appends "/part", or takes the last part away for "..". */
static int step(char *path, size_t *len, const char *part, size_t part_len)
{
	if (part_len == 0 || (part_len == 1 && part[0] == '.'))
		return 0;
	if (part_len == 2 && part[0] == '.' && part[1] == '.') {
		while (*len > 0 && path[--*len] != '/')
			continue;
		path[*len] = '\0';
		return 0;
	}
	if (*len + part_len + 2 > FOLDER_PATH_BYTES)
		return -ENAMETOOLONG;
	path[(*len)++] = '/';
	memcpy(path + *len, part, part_len);
	*len += part_len;
	path[*len] = '\0';
	return 0;
}

int folder_clean(const char *path, const char *base, char ret[FOLDER_PATH_BYTES])
{
	const char *const texts[] = {path[0] == '/' ? "" : base, path};
	char clean[FOLDER_PATH_BYTES] = "";
	size_t len = 0;
	int r = 0;

	for (size_t i = 0; i < array_len(texts); i++) {
		for (const char *at = texts[i]; r == 0 && *at; at += *at == '/') {
			size_t part_len = strcspn(at, "/");

			r = step(clean, &len, at, part_len);
			at += part_len;
		}
	}
	if (r < 0)
		return r;
	strcpy(ret, len > 0 ? clean : "/");
	return 0;
}

/* ---- what a person writes ---- */

static bool exists(const char *path)
{
	return faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* The last ":/", which is where a target begins. */
static char *find_target(char *text)
{
	char *found = NULL;

	for (char *at = strstr(text, ":/"); at; at = strstr(at + 1, ":/"))
		found = at;
	return found;
}

/* By the text alone. Returns the length of the path in front. */
static size_t split(const char *text, bool may_have_target, struct folder_words *words)
{
	char rest[2 * FOLDER_PATH_BYTES], *target;
	size_t len = strlen(text);

	strcpy(rest, text);
	if (len > 3 && (strcmp(rest + len - 3, ":ro") == 0 || strcmp(rest + len - 3, ":rw") == 0)) {
		words->is_read_only = rest[len - 1] == 'o';
		rest[len - 3] = '\0';
	}
	target = may_have_target ? find_target(rest) : NULL;
	if (target && target > rest) {
		snprintf(words->target, sizeof(words->target), "%s", target + 1);
		*target = '\0';
	}
	snprintf(words->path, sizeof(words->path), "%s", rest);
	return strlen(rest);
}

int folder_parse(const char *text, bool may_have_target, struct folder_words *ret, struct err *err)
{
	struct folder_words words = {.path = ""};
	size_t len = strlen(text), path_len;

	if (len == 0)
		return err_set(err, -EINVAL, "the path of a folder is empty");
	if (!text_is_line(text))
		return err_set(err, -EINVAL,
			       "'%s' cannot be shared: its name has control characters or is not valid UTF-8",
			       text);
	if (len >= FOLDER_PATH_BYTES)
		return err_set(err, -ENAMETOOLONG, "the path '%.40s…' is too long", text);
	path_len = split(text, may_have_target, &words);
	if (path_len < len && exists(text)) {
		if (exists(words.path))
			return err_set(
				err, -EINVAL,
				"both '%s' and '%s' are there: write '%s:rw' for the first or '%s/%s' for "
				"the second",
				text, words.path, text, words.path, text + path_len);
		words = (struct folder_words){.path = ""};
		strcpy(words.path, text);
	}
	if (!may_have_target && strstr(words.path, ":/") && !exists(words.path))
		return err_set(err, -EINVAL, "'%s' has another path inside: '--mount %s' takes that", text,
			       text);
	*ret = words;
	return 0;
}

/* ---- what is there ---- */

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
	if (r == 0 && !is_home && is_listed(host_system, array_len(host_system), spot->path))
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
