#include "share/reach.h"

#include "share/ops.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

enum { WANTED = STATX_BASIC_STATS | STATX_BTIME, TRIES = 8, DEPTH_MAX_BYTES = 64 << 10 };

int reach_open_beneath(int dir, const char *path)
{
	struct open_how how = {.flags = O_PATH | O_NOFOLLOW | O_CLOEXEC,
			       .resolve = RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS |
					  RESOLVE_BENEATH};
	int fd = (int)syscall(SYS_openat2, dir, path, &how, sizeof(how));

	return fd < 0 ? -errno : fd;
}

int reach_stat_at(int dir, const char *name, struct statx *ret)
{
	int flags = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | (*name ? 0 : AT_EMPTY_PATH);

	return statx(dir, name, flags, WANTED, ret) < 0 ? -errno : 0;
}

static bool is_on(const struct share *share, const struct statx *info)
{
	return share->dev_major == info->stx_dev_major && share->dev_minor == info->stx_dev_minor;
}

/* ---- the descriptors, the latest in use first ---- */

static void take_out(struct reach *reach, struct inode *inode)
{
	*(inode->newer ? &inode->newer->older : &reach->newest) = inode->older;
	*(inode->older ? &inode->older->newer : &reach->oldest) = inode->newer;
	inode->newer = inode->older = NULL;
	reach->count--;
}

static void put_first(struct reach *reach, struct inode *inode)
{
	inode->older = reach->newest;
	*(reach->newest ? &reach->newest->newer : &reach->oldest) = inode;
	reach->newest = inode;
	reach->count++;
}

void reach_close(struct share *share, struct inode *inode)
{
	if (inode->fd < 0)
		return;
	if (inode->id != INODE_ROOT)
		take_out(&share->reach, inode);
	close(steal_fd(&inode->fd));
}

/* ---- by its place ---- */

/* The nearest folder above that has a descriptor, and the inode below it that can be reached in one step. */
static int find_step(struct inode *inode, struct inode **ret_above, struct inode **ret_step)
{
	struct inode *above = inode->parent, *step = inode;
	size_t len = 0, rest;

	if (!inode->parent)
		return -ESTALE;
	for (const struct inode *at = inode; at->fd < 0; at = at->parent) {
		if (!at->parent)
			return -ESTALE;
		len += strlen(at->name) + 1;
		above = at->parent;
		if (len > DEPTH_MAX_BYTES)
			return -ESTALE;
	}
	for (rest = len; rest > PATH_MAX - 1; step = step->parent)
		rest -= strlen(step->name) + 1;
	*ret_above = above;
	*ret_step = step;
	return 0;
}

/* Gives a descriptor of the inode that lies there; above it there may be more steps to go. */
static int open_step(struct share *share, const struct inode *above, const struct inode *step)
{
	char path[PATH_MAX];
	struct statx info;
	int r = inode_path(step, above, path, sizeof(path));
	autofd int fd = r < 0 ? r : reach_open_beneath(above->fd, path);

	if (fd < 0)
		return fd == -ENOENT || fd == -ENOTDIR || fd == -ELOOP || fd == -EXDEV ? -ESTALE : fd;
	r = reach_stat_at(fd, "", &info);
	if (r < 0)
		return r;
	return is_on(share, &info) && inode_is(step, &info) ? steal_fd(&fd) : -ESTALE;
}

bool reach_is_in_place(struct share *share, struct inode *inode)
{
	struct inode *above, *step;
	int fd = steal_fd(&inode->fd);
	int found = find_step(inode, &above, &step) < 0 || step != inode ? -1 : open_step(share, above, step);

	inode->fd = fd;
	if (found < 0)
		return false;
	close(found);
	return true;
}

int reach_path(struct share *share, int fd, char path[PATH_MAX])
{
	char name[16], root[PATH_MAX];
	ssize_t len, root_len;

	snprintf(name, sizeof(name), "%d", inodes_find(share->inodes, INODE_ROOT)->fd);
	root_len = readlinkat(share->proc_fds, name, root, sizeof(root) - 1);
	snprintf(name, sizeof(name), "%d", fd);
	len = readlinkat(share->proc_fds, name, path, PATH_MAX - 1);
	if (len < 0 || root_len < 0 || len < root_len || memcmp(path, root, (size_t)root_len) != 0)
		return -ESTALE;
	if (len > root_len && root_len > 1 && path[root_len++] != '/')
		return -ESTALE;
	len -= root_len;
	memmove(path, path + root_len, (size_t)len);
	path[len] = '\0';
	return (int)len;
}

bool reach_place_again(struct share *share, struct inode *inode)
{
	struct inode *root = inodes_find(share->inodes, INODE_ROOT);
	char path[PATH_MAX];

	return reach_path(share, inode->fd, path) > 0 && inodes_put(share->inodes, inode, root, path) == 0 &&
	       reach_is_in_place(share, inode);
}

/* One whose name is gone is kept as long as others can be given up. */
static void make_room(struct share *share)
{
	struct reach *reach = &share->reach;

	for (int i = 0; i < TRIES && reach->count >= reach->max; i++) {
		struct inode *inode = reach->oldest;

		if (i == TRIES - 1 || reach_is_in_place(share, inode) || reach_place_again(share, inode)) {
			reach_close(share, inode);
		} else {
			take_out(reach, inode);
			put_first(reach, inode);
		}
	}
}

void reach_take(struct share *share, struct inode *inode, int fd)
{
	if (inode->fd >= 0) {
		close(fd);
		return;
	}
	make_room(share);
	inode->fd = fd;
	put_first(&share->reach, inode);
}

int reach_fd(struct share *share, struct inode *inode)
{
	while (inode->fd < 0) {
		struct inode *above, *step;
		int r = find_step(inode, &above, &step);
		int fd = r < 0 ? r : open_step(share, above, step);

		if (fd < 0)
			return fd;
		reach_take(share, step, fd);
	}
	if (inode->id != INODE_ROOT && share->reach.newest != inode) {
		take_out(&share->reach, inode);
		put_first(&share->reach, inode);
	}
	return inode->fd;
}

/* ---- what is asked of it ---- */

static bool has_plain_place(const struct inode *inode)
{
	return inode->parent && inode->parent->fd >= 0 && !strchr(inode->name, '/');
}

int reach_stat(struct share *share, struct inode *inode, struct statx *ret)
{
	int fd = inode->fd;

	if (fd < 0 && has_plain_place(inode) && reach_stat_at(inode->parent->fd, inode->name, ret) == 0 &&
	    is_on(share, ret) && inode_is(inode, ret))
		return 0;
	fd = reach_fd(share, inode);
	return fd < 0 ? fd : reach_stat_at(fd, "", ret);
}

bool reach_hold(struct share *share, int dir, const char *name, struct inode **ret)
{
	struct statx info;

	*ret = NULL;
	if (reach_stat_at(dir, name, &info) < 0)
		return false;
	if (is_on(share, &info))
		*ret = inodes_find_file(share->inodes, &info);
	if (*ret && (*ret)->fd < 0)
		(void)reach_fd(share, *ret);
	return true;
}

int reach_open(struct share *share, struct inode *inode, int flags)
{
	char name[16];
	int fd;

	if (inode->type != S_IFREG && inode->type != S_IFDIR)
		return -EPERM; /* a device, FIFO or socket of the host is nobody's to open */
	fd = reach_fd(share, inode);
	if (fd < 0)
		return fd;
	snprintf(name, sizeof(name), "%d", fd);
	fd = openat(share->proc_fds, name, flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	return fd < 0 ? -errno : fd;
}
