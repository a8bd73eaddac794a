#include "share/opened.h"

#include "base/clock.h"
#include "share/ops.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

static struct opened **slot_of(struct inode *inode, bool is_writing)
{
	return is_writing ? &inode->writing : &inode->reading;
}

/* ---- the list, the latest in use first ---- */

static void take_out(struct opened_list *list, struct opened *opened)
{
	*(opened->newer ? &opened->newer->older : &list->newest) = opened->older;
	*(opened->older ? &opened->older->newer : &list->oldest) = opened->newer;
	opened->newer = opened->older = NULL;
	list->count--;
	list->n_writing -= opened->is_writing;
}

static void put_first(struct opened_list *list, struct opened *opened)
{
	opened->older = list->newest;
	*(list->newest ? &list->newest->newer : &list->oldest) = opened;
	list->newest = opened;
	list->count++;
	list->n_writing += opened->is_writing;
}

static void release(struct opened *opened)
{
	if (opened->inode || opened->n_jobs > 0)
		return;
	close(opened->fd);
	free(opened);
}

static void drop(struct share *share, struct opened *opened)
{
	take_out(&share->opened, opened);
	*slot_of(opened->inode, opened->is_writing) = NULL;
	opened->inode = NULL;
	release(opened);
}

void opened_put(struct share *share, struct opened *opened)
{
	(void)share;
	opened->n_jobs--;
	release(opened);
}

void opened_close(struct share *share, struct inode *inode)
{
	if (inode->reading)
		drop(share, inode->reading);
	if (inode->writing)
		drop(share, inode->writing);
}

/* ---- opening ---- */

int opened_lend(struct share *share, struct inode *inode, mode_t *ret_mode)
{
	char name[16];
	struct statx info;
	int r = reach_stat(share, inode, &info);

	if (r < 0)
		return r;
	if (share->is_read_only || info.stx_uid != share->uid)
		return -EACCES;
	snprintf(name, sizeof(name), "%d", reach_fd(share, inode));
	if (fchmodat(share->proc_fds, name, (info.stx_mode & 07777) | S_IRUSR | S_IWUSR, 0) < 0)
		return -errno;
	*ret_mode = info.stx_mode & 07777;
	return 0;
}

int opened_take_back(struct share *share, struct inode *inode, mode_t mode)
{
	char name[16];

	snprintf(name, sizeof(name), "%d", reach_fd(share, inode));
	return fchmodat(share->proc_fds, name, mode, 0) < 0 ? -errno : 0;
}

static int open_own(struct share *share, struct inode *inode, int flags)
{
	mode_t mode = 0;
	int fd, r = opened_lend(share, inode, &mode);

	if (r < 0)
		return r;
	fd = reach_open(share, inode, flags);
	r = opened_take_back(share, inode, mode);
	if (r < 0 && fd >= 0)
		close(fd);
	return r < 0 ? r : fd;
}

/* Takes fd. */
static int add(struct share *share, struct inode *inode, int fd, bool is_writing, struct opened **ret)
{
	struct opened *opened = calloc(1, sizeof(*opened));

	if (!opened) {
		close(fd);
		return -ENOMEM;
	}
	while (share->opened.count >= share->opened.max)
		drop(share, share->opened.oldest);
	*opened = (struct opened){.fd = fd, .is_writing = is_writing, .inode = inode, .used_ms = clock_ms()};
	*slot_of(inode, is_writing) = opened;
	put_first(&share->opened, opened);
	*ret = opened;
	return 0;
}

int opened_get(struct share *share, struct inode *inode, bool is_writing, struct opened **ret)
{
	struct opened *opened = *slot_of(inode, is_writing);
	int flags = is_writing ? O_WRONLY : O_RDONLY;
	int fd;

	if (opened) {
		take_out(&share->opened, opened);
		put_first(&share->opened, opened);
		if (is_writing)
			opened->used_ms = clock_ms();
		*ret = opened;
		return 0;
	}
	if (inode->type != S_IFREG)
		return inode->type == S_IFDIR ? -EISDIR : -EPERM;
	fd = is_writing ? guard_write(share, inode) : 0;
	if (fd < 0)
		return fd;
	fd = reach_open(share, inode, flags);
	if (fd == -EACCES)
		fd = open_own(share, inode, flags);
	return fd < 0 ? fd : add(share, inode, fd, is_writing, ret);
}

int opened_made(struct share *share, struct inode *inode, int fd)
{
	struct opened *opened;
	int r;

	if (inode->writing)
		drop(share, inode->writing);
	r = add(share, inode, fd, true, &opened);
	if (r == 0)
		opened->n_makers = 1;
	return r;
}

void opened_release(struct share *share, struct inode *inode)
{
	struct opened *opened = inode->writing;

	if (opened && opened->n_makers > 0 && --opened->n_makers == 0)
		drop(share, opened);
}

void opened_close_writing(struct share *share)
{
	for (struct opened *opened = share->opened.oldest, *next; opened; opened = next) {
		next = opened->newer;
		if (opened->is_writing)
			drop(share, opened);
	}
}

/* Those before the first that is not old enough are newer than it. */
int opened_rest(struct share *share)
{
	int64_t now = 0;

	if (share->opened.n_writing == 0)
		return -1;
	now = clock_ms();
	for (struct opened *opened = share->opened.oldest, *next; opened; opened = next) {
		next = opened->newer;
		if (!opened->is_writing || opened->n_makers > 0)
			continue;
		if (now - opened->used_ms < OPENED_WRITING_MS)
			return (int)(OPENED_WRITING_MS - (now - opened->used_ms));
		drop(share, opened);
	}
	return -1;
}
