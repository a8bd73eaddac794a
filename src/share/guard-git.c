#include "base/fd.h"
#include "base/file.h"
#include "share/gitconfig.h"
#include "share/guard-parts.h"
#include "share/owner.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <strings.h>

enum { POINTER_MAX_BYTES = PATH_MAX };

#define NEW_NAME ".config.sbx-new"

static bool is_name(struct slice name, const char *text)
{
	return name.len == strlen(text) && strncasecmp(name.ptr, text, name.len) == 0;
}

static struct slice folder_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slice_of(path, slash ? (size_t)(slash - path) : 0);
}

static const char *name_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* ---- configurations ---- */

/* For a core.worktree in a configuration that lies in that folder. */
static struct gitconfig_place place_of(struct slice folder)
{
	struct gitconfig_place place = {.up_min = 1};
	unsigned depth = 0, since_git = 0;

	while (folder.len > 0) {
		depth++;
		since_git += since_git > 0;
		if (is_name(guard_next(&folder), ".git"))
			since_git = 1;
	}
	if (since_git > 0)
		place.up_min = since_git;
	place.up_max = depth;
	return place;
}

static int read_config(int dir, const char *name, struct buf *ret)
{
	return file_read(dir, name, GITCONFIG_MAX_BYTES, ret);
}

static int check(struct share *share, const char *path, struct slice text, struct slice old)
{
	const struct gitconfig_place place = place_of(folder_of(path));
	char key[GITCONFIG_KEY_BYTES] = "";
	int r = gitconfig_check(text, old, &place, key);

	if (r == -EACCES)
		return guard_refuse(share, path, ACT_MOVE_ONTO, "key", key);
	return r == -EBADMSG || r == -EFBIG ? guard_refuse(share, path, ACT_MOVE_ONTO, "reason",
							   "not a configuration that git reads")
					    : r;
}

/* Under a name of its own, which nobody in the guest is served while this goes on. */
static int write_copy(int dir, mode_t mode, struct slice text)
{
	autofd int fd = -1;
	int r;

	if (unlinkat(dir, NEW_NAME, 0) < 0 && errno != ENOENT)
		return -errno;
	fd = openat(dir, NEW_NAME, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	r = fd_write_all(fd, text);
	if (r == 0 && fchmod(fd, mode & 0777) < 0)
		r = -errno;
	if (r < 0)
		(void)unlinkat(dir, NEW_NAME, 0);
	return r;
}

/* The guest's number for what it has written means the copy from now on. */
static void become(struct share *share, struct inode *inode, const struct guard_end *at, int dir,
		   uint32_t uid, uint32_t gid)
{
	struct statx info;

	if (reach_stat_at(dir, at->name, &info) < 0)
		return;
	opened_close(share, inode);
	watch_end(share, inode);
	reach_close(share, inode);
	inodes_become(share->inodes, inode, &info);
	if (inodes_put(share->inodes, inode, at->dir, at->name) < 0)
		return;
	watch_found(share, inode, at->dir, dir, at->name, &info);
	watch_changed(share, inode);
	(void)owner_write(share, inode, uid, gid);
}

static int replace(struct share *share, const struct guard_end *from, const struct guard_end *into,
		   const struct statx *info, struct slice text)
{
	int from_fd = reach_fd(share, from->dir), into_fd = reach_fd(share, into->dir);
	struct inode *inode = inodes_find_file(share->inodes, info);
	bool is_moved = from->dir != into->dir || strcmp(from->name, into->name) != 0;
	struct changed_move move = {
		.from = from->dir, .into = into->dir, .from_name = from->name, .into_name = into->name};
	struct inode *lost = NULL;
	uint32_t uid, gid;
	int r;

	if (from_fd < 0 || into_fd < 0)
		return from_fd < 0 ? from_fd : into_fd;
	if (inode)
		owner_read(share, inode, info, &uid, &gid);
	r = write_copy(into_fd, info->stx_mode, text);
	if (r < 0)
		return r;
	if (is_moved)
		move.was_there = reach_hold(share, into_fd, into->name, &lost);
	if (renameat(into_fd, NEW_NAME, into_fd, into->name) < 0) {
		r = -errno;
		(void)unlinkat(into_fd, NEW_NAME, 0);
		return r;
	}
	if (inode)
		become(share, inode, into, into_fd, uid, gid);
	if (!is_moved)
		return 0;
	if (unlinkat(from_fd, from->name, 0) < 0)
		return -errno;
	changed_moved(share, &move);
	if (lost && lost->parent == into->dir && strcmp(lost->name, into->name) == 0)
		inodes_lift(share->inodes, lost);
	return 0;
}

int guard_publish(struct share *share, const struct guard_end *from, const struct guard_end *into)
{
	auto_buf struct buf text = {0}, old = {0};
	char path[PATH_MAX];
	struct statx info;
	int r = guard_path(share, into->dir, into->name, path);
	int from_fd = r < 0 ? r : reach_fd(share, from->dir);
	int into_fd = from_fd < 0 ? from_fd : reach_fd(share, into->dir);

	r = into_fd < 0 ? into_fd : reach_stat_at(from_fd, from->name, &info);
	r = r < 0 ? r : read_config(from_fd, from->name, &text);
	if (r == 0 && (from_fd != into_fd || strcmp(from->name, into->name) != 0)) {
		r = read_config(into_fd, into->name, &old);
		r = r == -ENOENT ? 0 : r;
	}
	r = r < 0 ? r : check(share, path, buf_slice(&text), buf_slice(&old));
	return r < 0 ? r : replace(share, from, into, &info, buf_slice(&text));
}

/* ---- folders that git is about to take for its own ---- */

static const char *const halves[] = {"objects", "refs"};

bool guard_is_half(const char *name)
{
	return strcasecmp(name, halves[0]) == 0 || strcasecmp(name, halves[1]) == 0;
}

static bool is_sample(const char *name)
{
	size_t len = strlen(name);

	return len > 7 && strcmp(name + len - 7, ".sample") == 0;
}

/* Whatever git runs by name must not be there already. */
static bool holds_hooks(int dir)
{
	autofd int path = reach_open_beneath(dir, "hooks");
	int fd = path < 0 ? -1 : openat(path, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_dir DIR *hooks = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;

	if (!hooks) {
		if (fd >= 0)
			close(fd);
		return path != -ENOENT;
	}
	while ((entry = readdir(hooks)))
		if (entry->d_name[0] != '.' ? !is_sample(entry->d_name)
					    : entry->d_name[1] && strcmp(entry->d_name, "..") != 0)
			return true;
	return false;
}

/* As if it were put into place now: who has it open may go on writing what nobody reads. */
static int adopt_config(struct share *share, struct inode *dir, const char *folder, const char *name)
{
	const struct guard_end end = {dir, name};
	int fd = reach_fd(share, dir);
	struct statx info;

	if (fd < 0)
		return fd;
	if (reach_stat_at(fd, name, &info) < 0 || guard_is_lifted(share, folder, name))
		return 0;
	return S_ISREG(info.stx_mode) ? guard_publish(share, &end, &end) : -EACCES;
}

int guard_adopt(struct share *share, struct inode *dir, const char *name)
{
	const char *other = halves[strcasecmp(name, halves[0]) == 0];
	int fd = reach_fd(share, dir);
	char path[PATH_MAX];
	struct statx info;
	int r = fd < 0 ? fd : reach_path(share, fd, path);

	if (r < 0 || reach_stat_at(fd, other, &info) < 0 || reach_stat_at(fd, name, &info) == 0)
		return r < 0 ? r : 0;
	/* By its name it has been one all the time. */
	if (is_name(slice_text(name_of(path)), ".git"))
		return 0;
	if (holds_hooks(fd) && !guard_is_lifted(share, path, "hooks/post-checkout"))
		return guard_refuse(share, path, ACT_MKDIR, "reason", "hooks for git");
	r = adopt_config(share, dir, path, "config");
	return r < 0 ? r : adopt_config(share, dir, path, "config.worktree");
}

/* ---- files that lead git elsewhere ---- */

/* Puts a path that is relative to a folder behind it, without ".." and "."; false where it leads out. */
static bool resolve(struct slice folder, struct slice target, char ret[PATH_MAX])
{
	size_t len = folder.len;

	memcpy(ret, folder.ptr, folder.len);
	while (target.len > 0) {
		struct slice name = guard_next(&target);

		if (name.len == 0 || slice_is(name, "."))
			continue;
		if (slice_is(name, "..")) {
			if (len == 0)
				return false;
			while (len > 0 && ret[len - 1] != '/')
				len--;
			len -= len > 0;
			continue;
		}
		if (len + name.len + 2 > PATH_MAX)
			return false;
		if (len > 0)
			ret[len++] = '/';
		memcpy(ret + len, name.ptr, name.len);
		len += name.len;
	}
	ret[len] = '\0';
	return true;
}

/* The folder's own path on the host, which is the guest's too, unless a person has it elsewhere inside. */
static int root_path(const struct share *share, char ret[PATH_MAX])
{
	char name[16];
	ssize_t len;

	snprintf(name, sizeof(name), "%d", inodes_find(share->inodes, INODE_ROOT)->fd);
	len = readlinkat(share->proc_fds, name, ret, PATH_MAX - 1);
	if (len < 0)
		return -errno;
	ret[len == 1 ? 0 : len] = '\0';
	return 0;
}

/* From the folder's root, of what is written in a file in that folder of it; false where it leads out. */
static bool follow(const struct share *share, struct slice folder, struct slice target, char ret[PATH_MAX])
{
	char root[PATH_MAX];
	size_t len;

	if (target.len == 0 || memchr(target.ptr, '\0', target.len))
		return false;
	if (target.ptr[0] != '/')
		return resolve(folder, target, ret);
	if (root_path(share, root) < 0)
		return false;
	len = strlen(root);
	return target.len > len && memcmp(target.ptr, root, len) == 0 && target.ptr[len] == '/' &&
	       resolve(slice_of("", 0), slice_skip(target, len + 1), ret);
}

static bool cut(struct slice *text, const char *begin)
{
	size_t len = strlen(begin);

	if (text->len < len || memcmp(text->ptr, begin, len) != 0)
		return false;
	*text = slice_skip(*text, len);
	return true;
}

/* The entry of a worktree, in a folder of git's, that the path leads to or into. */
static bool find_worktree(struct share *share, const char *path, struct slice *ret_entry)
{
	struct slice rest = slice_text(path), last = {NULL, 0};

	while (rest.len > 0) {
		struct slice folder = slice_of(path, strlen(path) - rest.len);
		struct slice name = guard_next(&rest);

		if (folder.len > 0)
			folder.len--;
		if (is_name(name, "worktrees") && rest.len > 0 &&
		    (is_name(last, ".git") || guard_is_git(folder, share))) {
			(void)guard_next(&rest);
			*ret_entry = slice_of(path, strlen(path) - rest.len - (rest.len > 0));
			return true;
		}
		last = name;
	}
	return false;
}

/* Git keeps there what belongs to submodules and worktrees; what is guarded in it is so by these names. */
static bool is_kept_by_git(struct share *share, const char *path)
{
	struct slice rest = slice_text(path), entry;

	if (find_worktree(share, path, &entry))
		return entry.len == strlen(path);
	while (rest.len > 0)
		if (is_name(guard_next(&rest), ".git") && is_name(guard_next(&rest), "modules"))
			return rest.len > 0;
	return false;
}

static bool is_sound_target(struct share *share, const char *path)
{
	autofd int fd = reach_open_beneath(inodes_find(share->inodes, INODE_ROOT)->fd, path);

	if (fd < 0 && fd != -ENOENT)
		return false;
	return is_kept_by_git(share, path) || guard_is_git(slice_text(path), share);
}

bool guard_pointer_is_sound(struct share *share, const char *path, struct slice text)
{
	char target[PATH_MAX];

	if (text.len > 0 && text.ptr[text.len - 1] == '\n')
		text.len--;
	if (strcasecmp(name_of(path), "commondir") == 0)
		return slice_is(text, "../..");
	return text.len < POINTER_MAX_BYTES && !memchr(text.ptr, '\n', text.len) && cut(&text, "gitdir: ") &&
	       follow(share, folder_of(path), text, target) && is_sound_target(share, target);
}

bool guard_is_of_other_worktree(struct share *share, const char *path)
{
	auto_buf struct buf text = {0};
	char folder[PATH_MAX], target[PATH_MAX];
	struct slice entry;
	autofd int fd = -1;

	if (!find_worktree(share, path, &entry))
		return false;
	memcpy(folder, entry.ptr, entry.len);
	folder[entry.len] = '\0';
	fd = reach_open_beneath(inodes_find(share->inodes, INODE_ROOT)->fd, folder);
	if (fd < 0 || file_read(fd, "gitdir", POINTER_MAX_BYTES, &text) < 0 || text.len == 0)
		return false;
	if (buf_text(&text)[text.len - 1] == '\n')
		text.len--;
	return !follow(share, entry, buf_slice(&text), target);
}
