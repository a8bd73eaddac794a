#include "share/guard-parts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <strings.h>
#include <sys/xattr.h>

/* On the .git of a repository that the guest has made. */
#define MADE_ATTRIBUTE "user.sbx.made"

enum { PROC_PATH_BYTES = 40 };

void guard_done(struct guard *guard)
{
	judge_done(&guard->rules);
	links_done(&guard->links);
}

int share_guard(struct share *share, struct slice line)
{
	int r = judge_add(&share->guard.rules, line);

	/* What is open was judged by other rules. */
	if (r == 0) {
		links_forget_all(&share->guard.links);
		opened_close_writing(share);
	}
	return r;
}

/* ---- judging ---- */

static int open_folder(struct share *share, struct slice folder)
{
	struct inode *root = inodes_find(share->inodes, INODE_ROOT);
	char path[PATH_MAX];

	if (folder.len == 0)
		return reach_open_beneath(root->fd, ".");
	if (folder.len >= sizeof(path))
		return -ENAMETOOLONG;
	memcpy(path, folder.ptr, folder.len);
	path[folder.len] = '\0';
	return reach_open_beneath(root->fd, path);
}

static bool has(int dir, const char *name)
{
	struct statx info;

	return dir >= 0 && reach_stat_at(dir, name, &info) == 0;
}

static const char *proc_path(int fd, char ret[PROC_PATH_BYTES])
{
	snprintf(ret, PROC_PATH_BYTES, "/proc/self/fd/%d", fd);
	return ret;
}

static bool is_marked(int fd)
{
	char path[PROC_PATH_BYTES];

	return getxattr(proc_path(fd, path), MADE_ATTRIBUTE, NULL, 0) >= 0;
}

static bool is_repository(struct slice folder, void *data)
{
	autofd int dir = open_folder(data, folder);
	autofd int git = dir < 0 ? -1 : reach_open_beneath(dir, ".git");

	return git >= 0 && !is_marked(git);
}

bool guard_is_git(struct slice folder, void *data)
{
	autofd int dir = open_folder(data, folder);

	return has(dir, "objects") && has(dir, "refs");
}

enum guard_place guard_place_of(struct share *share, const char *path, bool is_folder)
{
	const struct judge_view view = {
		.is_repository = is_repository, .is_git = guard_is_git, .data = share};

	return judge_path(&share->guard.rules, slice_text(path), is_folder, &view);
}

static bool always(struct slice folder, void *data)
{
	(void)folder, (void)data;
	return true;
}

bool guard_is_lifted(struct share *share, const char *git, const char *name)
{
	const struct judge_view view = {.is_repository = always, .is_git = always};
	char path[PATH_MAX];

	return snprintf(path, sizeof(path), "%s%s%s", git, *git ? "/" : "", name) < (int)sizeof(path) &&
	       judge_path(&share->guard.rules, slice_text(path), false, &view) == GUARD_FREE;
}

int guard_path(struct share *share, struct inode *dir, const char *name, char path[PATH_MAX])
{
	int fd = reach_fd(share, dir);
	int len = fd < 0 ? fd : reach_path(share, fd, path);

	if (len < 0)
		return len;
	if ((size_t)len + strlen(name) + 2 > PATH_MAX)
		return -ENAMETOOLONG;
	snprintf(path + len, PATH_MAX - (size_t)len, "%s%s", len > 0 ? "/" : "", name);
	return 0;
}

static int judge(struct share *share, const char *path, bool is_folder, enum judge_act act,
		 enum guard_place *ret_place)
{
	*ret_place = guard_place_of(share, path, is_folder);
	return judge_may(*ret_place, act) ? 0 : guard_refuse(share, path, act, NULL, NULL);
}

static int judge_inode(struct share *share, struct inode *inode, enum judge_act act,
		       enum guard_place *ret_place)
{
	char path[PATH_MAX];
	int fd = reach_fd(share, inode);
	int r = fd < 0 ? fd : reach_path(share, fd, path);

	r = r < 0 ? r : judge(share, path, inode->type == S_IFDIR, act, ret_place);
	if (r == 0 && act == ACT_WRITE && guard_is_of_other_worktree(share, path))
		return guard_refuse(share, path, act, NULL, NULL);
	return r;
}

/* ---- names ---- */

int guard_make(struct share *share, struct inode *dir, const char *name, enum judge_act act,
	       enum guard_place *ret_place)
{
	char path[PATH_MAX];
	int r = guard_path(share, dir, name, path);

	r = r < 0 ? r : judge(share, path, act == ACT_MKDIR, act, ret_place);
	return r == 0 && guard_is_half(name) ? guard_adopt(share, dir, name) : r;
}

/*
 * What the guest has put into a repository that it has made itself is guarded only where git is concerned:
 * otherwise no clone, and no worktree, of a project that comes with an editor's settings could be made.
 */
static void mark_made(struct share *share, struct inode *dir, const char *name)
{
	int dir_fd = reach_fd(share, dir);
	autofd int fd = dir_fd < 0 ? -1 : reach_open_beneath(dir_fd, name);
	char path[PROC_PATH_BYTES];

	if (fd >= 0)
		(void)setxattr(proc_path(fd, path), MADE_ATTRIBUTE, "1", 1, 0);
}

void guard_made(struct share *share, struct inode *dir, const char *name)
{
	if (strcmp(name, ".git") == 0)
		mark_made(share, dir, name);
}

/* Without its .git, a repository's files would not be guarded any more. */
static bool holds_guarded(struct share *share, struct inode *dir, const char *path)
{
	size_t len = strlen(path) - strlen(".git");
	int fd = reach_fd(share, dir);

	/* The root is guarded anyway. */
	if (len == 0 || !is_repository((struct slice){path, len - 1}, share))
		return false;
	for (const struct guard_row *row = guard_rows; row->pattern; row++) {
		struct slice rest = slice_text(row->pattern);
		struct slice first = guard_next(&rest);
		char name[REQUEST_NAME_BYTES];

		snprintf(name, sizeof(name), "%.*s", (int)first.len, first.ptr);
		if (row->anchor == GUARD_AT_REPOSITORY && has(fd, name))
			return true;
	}
	return false;
}

int guard_remove(struct share *share, struct inode *dir, const char *name, bool is_folder)
{
	enum judge_act act = is_folder ? ACT_RMDIR : ACT_UNLINK;
	enum guard_place place;
	char path[PATH_MAX];
	int r = guard_path(share, dir, name, path);

	r = r < 0 ? r : judge(share, path, is_folder, act, &place);
	if (r < 0)
		return r;
	if ((strcmp(name, ".git") == 0 && place != GUARD_FREE && holds_guarded(share, dir, path)) ||
	    guard_is_of_other_worktree(share, path))
		return guard_refuse(share, path, act, NULL, NULL);
	links_lose_name(share, dir, name);
	return 0;
}

int guard_link(struct share *share, struct inode *old, struct inode *dir, const char *name)
{
	char path[PATH_MAX];
	enum guard_place place;
	struct statx info;
	int r = reach_stat(share, old, &info);

	/* One without a name yet may be given any that is free. */
	if (r == 0 && info.stx_nlink > 0)
		r = judge_inode(share, old, ACT_LINK_FROM, &place);
	r = r < 0 ? r : guard_path(share, dir, name, path);
	r = r < 0 ? r : judge(share, path, false, ACT_LINK, &place);
	if (r == 0)
		links_gain_name(share, old);
	return r;
}

/* ---- moving ---- */

/* What lies at one end, and would lie at the other one. */
static int judge_ends(struct share *share, const char *from, const char *into, bool is_folder,
		      enum guard_place *ret_into)
{
	enum guard_place place;
	int r = judge(share, from, is_folder, ACT_MOVE_FROM, &place);

	return r < 0 ? r : judge(share, into, is_folder, ACT_MOVE_ONTO, ret_into);
}

static int type_of(struct share *share, const struct guard_end *end, mode_t *ret)
{
	struct statx info;
	int fd = reach_fd(share, end->dir);
	int r = fd < 0 ? fd : reach_stat_at(fd, end->name, &info);

	*ret = r < 0 ? 0 : info.stx_mode & S_IFMT;
	return r;
}

/* Git's own folder stays one, and no other becomes one unseen. */
static int judge_half(struct share *share, const struct guard_end *end, const char *path)
{
	size_t len = strlen(path) - strlen(end->name);

	if (!guard_is_half(end->name))
		return 0;
	if (guard_is_git((struct slice){path, len > 0 ? len - 1 : 0}, share))
		return guard_refuse(share, path, ACT_MOVE_FROM, NULL, NULL);
	return guard_adopt(share, end->dir, end->name);
}

static int judge_move(struct share *share, const struct guard_end *from, const struct guard_end *into,
		      unsigned flags, enum guard_place *ret_place)
{
	char from_path[PATH_MAX], into_path[PATH_MAX];
	mode_t type, other = 0;
	int r = guard_path(share, from->dir, from->name, from_path);

	r = r < 0 ? r : guard_path(share, into->dir, into->name, into_path);
	r = r < 0 ? r : type_of(share, from, &type);
	r = r < 0 ? r : judge_ends(share, from_path, into_path, type == S_IFDIR, ret_place);
	if (r == 0 && (flags & RENAME_EXCHANGE)) {
		enum guard_place place;

		r = type_of(share, into, &other);
		r = r < 0 ? r : judge_ends(share, into_path, from_path, other == S_IFDIR, &place);
	}
	if (r == 0 && *ret_place == GUARD_CONFIG && (flags || type != S_IFREG))
		r = guard_refuse(share, into_path, ACT_MOVE_ONTO, NULL, NULL);
	if (r == 0 &&
	    (guard_is_of_other_worktree(share, from_path) || guard_is_of_other_worktree(share, into_path)))
		r = guard_refuse(share, from_path, ACT_MOVE_FROM, NULL, NULL);
	r = r < 0 ? r : judge_half(share, from, from_path);
	return r < 0 ? r : judge_half(share, into, into_path);
}

int guard_move(struct share *share, const struct guard_end *from, const struct guard_end *into,
	       unsigned flags)
{
	enum guard_place place;
	int r = judge_move(share, from, into, flags, &place);

	if (r < 0)
		return r;
	if (!(flags & RENAME_EXCHANGE))
		links_lose_name(share, into->dir, into->name);
	if (place != GUARD_CONFIG)
		return 0;
	r = guard_publish(share, from, into);
	return r < 0 ? r : 1;
}

/* ---- files and folders themselves ---- */

int guard_write(struct share *share, struct inode *inode)
{
	enum guard_place place = GUARD_FREE;
	int r = links_check(share, inode, ACT_WRITE);

	if (r == 0)
		r = judge_inode(share, inode, ACT_WRITE, &place);
	if (r >= 0)
		inode->is_pointer = place == GUARD_POINTER;
	return r < 0 ? r : 0;
}

int guard_change(struct share *share, struct inode *inode, bool is_time)
{
	enum guard_place place;
	int r = is_time || inode->type != S_IFREG ? 0 : links_check(share, inode, ACT_CHANGE);

	/* What has no name is nobody else's. */
	return r < 0 ? r : r > 0 ? 0 : judge_inode(share, inode, ACT_CHANGE, &place);
}

int guard_write_pointer(struct share *share, struct inode *inode, uint64_t at, struct slice bytes)
{
	char path[PATH_MAX];
	int fd = reach_fd(share, inode);
	int r = fd < 0 ? fd : reach_path(share, fd, path);

	if (r < 0)
		return r;
	return at == 0 && guard_pointer_is_sound(share, path, bytes)
		       ? 0
		       : guard_refuse(share, path, ACT_WRITE, NULL, NULL);
}
