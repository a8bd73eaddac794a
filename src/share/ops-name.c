#include "share/ops.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

enum { FORGETS_MAX = 65536 };

/* That there is no such name the guest may keep too, where it is told of one that comes. */
int op_lookup(struct share *share, struct request *request, struct buf *out)
{
	const struct fuse_entry_out none = {.entry_valid = WATCH_LONG_SECONDS};
	char name[REQUEST_NAME_BYTES];
	struct inode *dir;
	int r = share_inode(share, request, S_IFDIR, &dir);

	r = r < 0 ? r : request_take_name(request, name);
	r = r < 0 ? r : share_enter(share, dir, name, NULL, out);
	if (r == -ENOENT && watch_name_seconds(dir) == WATCH_LONG_SECONDS)
		r = share_append(out, &none, sizeof(none));
	return r;
}

int op_forget(struct share *share, struct request *request, struct buf *out)
{
	struct fuse_forget_in forget;
	int r = request_take(request, &forget, sizeof(forget));

	(void)out;
	if (r == 0)
		inodes_forget(share->inodes, request->head.nodeid, forget.nlookup);
	return r;
}

int op_batch_forget(struct share *share, struct request *request, struct buf *out)
{
	struct fuse_batch_forget_in batch;
	struct fuse_forget_one one;
	int r = request_take(request, &batch, sizeof(batch));

	(void)out;
	for (uint32_t i = 0; r == 0 && i < batch.count && i < FORGETS_MAX; i++) {
		r = request_take(request, &one, sizeof(one));
		if (r == 0)
			inodes_forget(share->inodes, one.nodeid, one.nlookup);
	}
	return r;
}

/* The guest has just made it. */
static int enter_made(struct share *share, struct inode *dir, const char *name,
		      const struct fuse_in_header *maker, struct buf *out)
{
	changed_created(share, dir, name);
	guard_made(share, dir, name);
	return share_enter(share, dir, name, maker, out);
}

int op_mkdir(struct share *share, struct request *request, struct buf *out)
{
	char name[REQUEST_NAME_BYTES];
	struct fuse_mkdir_in in;
	enum guard_place place;
	struct inode *dir;
	int dir_fd, r = share_dir(share, request, &dir, &dir_fd);

	r = r < 0 ? r : request_take(request, &in, sizeof(in));
	r = r < 0 ? r : request_take_name(request, name);
	r = r < 0 ? r : guard_make(share, dir, name, ACT_MKDIR, &place);
	if (r == 0 && mkdirat(dir_fd, name, share_mode(in.mode & ~in.umask)) < 0)
		r = -errno;
	return r < 0 ? r : enter_made(share, dir, name, &request->head, out);
}

/* Regular files only: what else there is, a host program might trip over. */
int op_mknod(struct share *share, struct request *request, struct buf *out)
{
	char name[REQUEST_NAME_BYTES];
	struct fuse_mknod_in in;
	enum guard_place place;
	struct inode *dir;
	int dir_fd, r = share_dir(share, request, &dir, &dir_fd);

	r = r < 0 ? r : request_take(request, &in, sizeof(in));
	r = r < 0 ? r : request_take_name(request, name);
	if (r == 0 && !S_ISREG(in.mode))
		r = -EPERM;
	r = r < 0 ? r : guard_make(share, dir, name, ACT_CREATE, &place);
	if (r == 0 && mknodat(dir_fd, name, S_IFREG | share_mode(in.mode & ~in.umask), 0) < 0)
		r = -errno;
	return r < 0 ? r : enter_made(share, dir, name, &request->head, out);
}

int op_symlink(struct share *share, struct request *request, struct buf *out)
{
	char name[REQUEST_NAME_BYTES], target[REQUEST_PATH_BYTES];
	enum guard_place place;
	struct inode *dir;
	int dir_fd, r = share_dir(share, request, &dir, &dir_fd);

	r = r < 0 ? r : request_take_name(request, name);
	r = r < 0 ? r : request_take_text(request, target, sizeof(target));
	r = r < 0 ? r : guard_make(share, dir, name, ACT_SYMLINK, &place);
	if (r == 0 && symlinkat(target, dir_fd, name) < 0)
		r = -errno;
	return r < 0 ? r : enter_made(share, dir, name, &request->head, out);
}

int op_link(struct share *share, struct request *request, struct buf *out)
{
	char name[REQUEST_NAME_BYTES], source[32];
	struct fuse_link_in in;
	struct inode *old, *dir;
	int old_fd, dir_fd, r = share_dir(share, request, &dir, &dir_fd);

	r = r < 0 ? r : request_take(request, &in, sizeof(in));
	r = r < 0 ? r : request_take_name(request, name);
	if (r < 0)
		return r;
	old = share_known(share, in.oldnodeid);
	if (!old)
		return -ESTALE;
	if (old->type != S_IFREG)
		return -EPERM;
	r = guard_link(share, old, dir, name);
	if (r < 0)
		return r;
	old_fd = reach_fd(share, old);
	if (old_fd < 0)
		return old_fd;
	/* The file that the descriptor stands for, whatever it is called now. */
	snprintf(source, sizeof(source), "%d", old_fd);
	if (linkat(share->proc_fds, source, dir_fd, name, AT_SYMLINK_FOLLOW) < 0)
		return -errno;
	return enter_made(share, dir, name, NULL, out);
}

/* It may be in use inside, where nobody says so. */
static int remove_entry(struct share *share, struct request *request, int flags)
{
	char name[REQUEST_NAME_BYTES];
	struct inode *dir, *lost;
	int dir_fd, r = share_dir(share, request, &dir, &dir_fd);

	r = r < 0 ? r : request_take_name(request, name);
	if (r < 0)
		return r;
	r = guard_remove(share, dir, name, flags & AT_REMOVEDIR);
	if (r < 0)
		return r;
	(void)reach_hold(share, dir_fd, name, &lost);
	if (unlinkat(dir_fd, name, flags) < 0)
		return -errno;
	changed_deleted(share, dir, name);
	if (lost && lost->parent == dir && strcmp(lost->name, name) == 0)
		inodes_lift(share->inodes, lost);
	return 0;
}

int op_unlink(struct share *share, struct request *request, struct buf *out)
{
	(void)out;
	return remove_entry(share, request, 0);
}

int op_rmdir(struct share *share, struct request *request, struct buf *out)
{
	(void)out;
	return remove_entry(share, request, AT_REMOVEDIR);
}

/* What lies there now, if it is known, has its place there. True for a folder. */
static bool see(struct share *share, struct inode *dir, int dir_fd, const char *name)
{
	struct inode *inode;
	struct statx info;

	if (reach_stat_at(dir_fd, name, &info) < 0)
		return false;
	inode = inodes_find_file(share->inodes, &info);
	if (inode)
		(void)inodes_put(share->inodes, inode, dir, name);
	return S_ISDIR(info.stx_mode);
}

static int move(struct share *share, struct inode *from, struct inode *into, const char *from_name,
		const char *into_name, unsigned flags)
{
	struct changed_move move = {
		.from = from, .into = into, .from_name = from_name, .into_name = into_name};
	int from_fd = reach_fd(share, from), into_fd = reach_fd(share, into);
	struct inode *lost = NULL;

	if (from_fd < 0 || into_fd < 0)
		return from_fd < 0 ? from_fd : into_fd;
	if (flags == 0)
		move.was_there = reach_hold(share, into_fd, into_name, &lost);
	if (renameat2(from_fd, from_name, into_fd, into_name, flags) < 0)
		return -errno;
	move.is_dir = see(share, into, into_fd, into_name);
	if (flags & RENAME_EXCHANGE) {
		(void)see(share, from, from_fd, from_name);
		changed_exchanged(share, &move);
		return 0;
	}
	changed_moved(share, &move);
	if (lost && lost->parent == into && strcmp(lost->name, into_name) == 0 &&
	    !reach_is_in_place(share, lost))
		inodes_lift(share->inodes, lost);
	return 0;
}

static int take_move(struct share *share, struct request *request, uint64_t into_id, unsigned flags)
{
	char from_name[REQUEST_NAME_BYTES], into_name[REQUEST_NAME_BYTES];
	struct inode *into = share_known(share, into_id), *from;
	int r = share_inode(share, request, S_IFDIR, &from);

	r = r < 0 ? r : request_take_name(request, from_name);
	r = r < 0 ? r : request_take_name(request, into_name);
	if (r < 0)
		return r;
	/* No RENAME_WHITEOUT: it makes a device. */
	if (flags & ~(unsigned)(RENAME_NOREPLACE | RENAME_EXCHANGE))
		return -EINVAL;
	if (!into || into->type != S_IFDIR)
		return !into ? -ESTALE : -ENOTDIR;
	r = guard_move(share, &(struct guard_end){from, from_name}, &(struct guard_end){into, into_name},
		       flags);
	return r != 0 ? r < 0 ? r : 0 : move(share, from, into, from_name, into_name, flags);
}

int op_rename(struct share *share, struct request *request, struct buf *out)
{
	struct fuse_rename_in in;
	int r = request_take(request, &in, sizeof(in));

	(void)out;
	return r < 0 ? r : take_move(share, request, in.newdir, 0);
}

int op_rename2(struct share *share, struct request *request, struct buf *out)
{
	struct fuse_rename2_in in;
	int r = request_take(request, &in, sizeof(in));

	(void)out;
	return r < 0 ? r : take_move(share, request, in.newdir, in.flags);
}

int op_readlink(struct share *share, struct request *request, struct buf *out)
{
	char target[REQUEST_PATH_BYTES];
	struct inode *inode;
	ssize_t len;
	int r = share_inode(share, request, S_IFLNK, &inode);
	int fd = r < 0 ? r : reach_fd(share, inode);

	if (fd < 0)
		return fd;
	len = readlinkat(fd, "", target, sizeof(target));
	return len < 0 ? -errno : share_append(out, target, (size_t)len);
}
