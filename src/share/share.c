#include "share/ops.h"

#include "share/owner.h"
#include "share/pool.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>

/* Of the descriptors that the process may have, what is not for inodes. */
enum { FDS_MAX = 1 << 16, FDS_MIN = 16, FDS_OTHER = 64, OPENED_MAX = 1024, OPENED_MIN = 8, LISTINGS_MIN = 4 };

/* The guest's own business, and not agreed upon: locks, and what it has not written yet. */
static const uint32_t wanted = FUSE_ASYNC_READ | FUSE_BIG_WRITES | FUSE_DO_READDIRPLUS |
			       FUSE_READDIRPLUS_AUTO | FUSE_PARALLEL_DIROPS | FUSE_MAX_PAGES |
			       FUSE_DONT_MASK | FUSE_EXPORT_SUPPORT | FUSE_AUTO_INVAL_DATA |
			       FUSE_CACHE_SYMLINKS | FUSE_NO_OPEN_SUPPORT | FUSE_NO_OPENDIR_SUPPORT |
			       /* Who writes has no right to keep set-user-ID, and the host's kernel knows. */
			       FUSE_HANDLE_KILLPRIV | FUSE_HANDLE_KILLPRIV_V2;

static int op_init(struct share *share, struct request *request, struct buf *out)
{
	struct fuse_init_out reply = {.major = FUSE_KERNEL_VERSION,
				      .minor = FUSE_KERNEL_MINOR_VERSION,
				      .max_write = REQUEST_DATA_MAX_BYTES,
				      .max_pages = REQUEST_DATA_MAX_BYTES / 4096,
				      .time_gran = 1,
				      .max_background = 64,
				      .congestion_threshold = 48};
	struct fuse_init_in init = {0};
	/* Older kernels send less. */
	size_t size = request->body.len < sizeof(init) ? request->body.len : sizeof(init);

	if (request_take(request, &init, size) < 0 || init.major != FUSE_KERNEL_VERSION || init.minor < 31)
		return -EPROTO;
	share->is_begun = true;
	share->is_openless = (init.flags & FUSE_NO_OPEN_SUPPORT) && (init.flags & FUSE_NO_OPENDIR_SUPPORT);
	reply.max_readahead = init.max_readahead;
	reply.flags = init.flags & wanted;
	if (share->watch)
		reply.flags &=
			~(uint32_t)FUSE_AUTO_INVAL_DATA; /* its own writes would cost the guest its cache */
	return share_append(out, &reply, sizeof(reply));
}

static int op_nothing(struct share *share, struct request *request, struct buf *out)
{
	(void)share, (void)request, (void)out;
	return 0;
}

struct row {
	share_op *op;
	bool is_change; /* refused on a folder that is shared read-only */
	bool is_silent; /* has no answer */
};

static const struct row rows[] = {
	[FUSE_INIT] = {op_init, false, false},
	[FUSE_DESTROY] = {op_nothing, false, false},
	[FUSE_INTERRUPT] = {op_nothing, false, true},
	[FUSE_LOOKUP] = {op_lookup, false, false},
	[FUSE_FORGET] = {op_forget, false, true},
	[FUSE_BATCH_FORGET] = {op_batch_forget, false, true},
	[FUSE_MKDIR] = {op_mkdir, true, false},
	[FUSE_MKNOD] = {op_mknod, true, false},
	[FUSE_SYMLINK] = {op_symlink, true, false},
	[FUSE_LINK] = {op_link, true, false},
	[FUSE_UNLINK] = {op_unlink, true, false},
	[FUSE_RMDIR] = {op_rmdir, true, false},
	[FUSE_RENAME] = {op_rename, true, false},
	[FUSE_RENAME2] = {op_rename2, true, false},
	[FUSE_READLINK] = {op_readlink, false, false},
	[FUSE_GETATTR] = {op_getattr, false, false},
	[FUSE_SETATTR] = {op_setattr, false, false}, /* sees to it itself */
	[FUSE_STATFS] = {op_statfs, false, false},
	[FUSE_ACCESS] = {op_access, false, false},
	[FUSE_GETXATTR] = {op_getxattr, false, false},
	[FUSE_SETXATTR] = {op_setxattr, true, false},
	[FUSE_LISTXATTR] = {op_listxattr, false, false},
	[FUSE_REMOVEXATTR] = {op_removexattr, true, false},
	[FUSE_OPEN] = {op_open, false, false},
	[FUSE_CREATE] = {op_create, true, false},
	[FUSE_TMPFILE] = {op_tmpfile, true, false},
	[FUSE_READ] = {op_read, false, false},
	[FUSE_WRITE] = {op_write, true, false},
	[FUSE_RELEASE] = {op_release, false, false},
	[FUSE_FLUSH] = {op_flush, false, false},
	[FUSE_FSYNC] = {op_fsync, false, false},
	[FUSE_FALLOCATE] = {op_fallocate, true, false},
	[FUSE_LSEEK] = {op_lseek, false, false},
	[FUSE_COPY_FILE_RANGE] = {op_copy_file_range, true, false},
	[FUSE_OPENDIR] = {op_opendir, false, false},
	[FUSE_READDIR] = {op_readdir, false, false},
	[FUSE_READDIRPLUS] = {op_readdirplus, false, false},
	[FUSE_RELEASEDIR] = {op_releasedir, false, false},
	[FUSE_FSYNCDIR] = {op_fsyncdir, false, false},
};

static int run(struct share *share, const struct row *row, struct request *request, struct buf *out)
{
	if (!row || !row->op)
		return -ENOSYS;
	if (!share->is_begun && row->op != op_init)
		return -EIO;
	if (share->is_read_only && row->is_change)
		return -EROFS;
	return row->op(share, request, out);
}

int share_handle(struct share *share, struct slice message, struct buf *reply)
{
	struct fuse_out_header head = {.len = sizeof(head)};
	size_t before = reply->len;
	struct request request;
	const struct row *row;
	int r = share_append(reply, &head, sizeof(head));

	if (r < 0)
		return r;
	request_open(message, &request);
	share->message = message;
	row = request.head.opcode < array_len(rows) ? &rows[request.head.opcode] : NULL;
	r = run(share, row, &request, reply);
	if (r == -EINPROGRESS)
		r = OP_LATER;
	if (r == OP_LATER || (row && row->is_silent)) {
		buf_cut(reply, before);
		return r == OP_LATER ? SHARE_LATER : 0;
	}
	if (r < 0)
		buf_cut(reply, before + sizeof(head));
	head = (struct fuse_out_header){.len = (uint32_t)(reply->len - before),
					.error = r < 0 ? r : 0,
					.unique = request.head.unique};
	memcpy(reply->data + reply->start + before, &head, sizeof(head));
	return 0;
}

/* ---- what the operations share ---- */

int share_append(struct buf *out, const void *bytes, size_t size)
{
	return buf_append(out, slice_of(bytes, size));
}

/* One that only what lies in it keeps is not known to the guest. */
struct inode *share_known(const struct share *share, uint64_t id)
{
	struct inode *inode = inodes_find(share->inodes, id);

	return inode && (inode->n_lookups > 0 || id == INODE_ROOT) ? inode : NULL;
}

int share_inode(const struct share *share, const struct request *request, mode_t type, struct inode **ret)
{
	struct inode *inode = share_known(share, request->head.nodeid);

	if (!inode)
		return -ESTALE;
	if (type && inode->type != type)
		return type == S_IFDIR ? -ENOTDIR : -EINVAL;
	*ret = inode;
	return 0;
}

int share_dir(struct share *share, const struct request *request, struct inode **ret_dir, int *ret_fd)
{
	int r = share_inode(share, request, S_IFDIR, ret_dir);

	*ret_fd = r < 0 ? r : reach_fd(share, *ret_dir);
	return *ret_fd < 0 ? *ret_fd : 0;
}

void share_attr(struct share *share, struct inode *inode, const struct statx *info, struct fuse_attr *ret)
{
	*ret = (struct fuse_attr){.ino = info->stx_ino,
				  .size = info->stx_size,
				  .blocks = info->stx_blocks,
				  .atime = (uint64_t)info->stx_atime.tv_sec,
				  .mtime = (uint64_t)info->stx_mtime.tv_sec,
				  .ctime = (uint64_t)info->stx_ctime.tv_sec,
				  .atimensec = info->stx_atime.tv_nsec,
				  .mtimensec = info->stx_mtime.tv_nsec,
				  .ctimensec = info->stx_ctime.tv_nsec,
				  .mode = info->stx_mode & (S_IFMT | 01777),
				  .nlink = info->stx_nlink,
				  .blksize = info->stx_blksize};
	owner_read(share, inode, info, &ret->uid, &ret->gid);
}

/*
 * Counts the inode that can be reached as at_name from the descriptor at once more; with a name it lies
 * there, without one only at leads to it.
 */
static int know(struct share *share, int at, const char *at_name, struct inode *dir, const char *name,
		struct fuse_entry_out *ret)
{
	struct inode *inode;
	struct statx info;
	int r = reach_stat_at(at, at_name, &info);

	if (r < 0)
		return r;
	if (info.stx_dev_major != share->dev_major || info.stx_dev_minor != share->dev_minor)
		return -EXDEV;
	r = inodes_add(share->inodes, &info, &inode);
	if (r < 0)
		return r;
	r = name ? inodes_put(share->inodes, inode, dir, name) : 0;
	if (r < 0) {
		inodes_forget(share->inodes, inode->id, 1);
		return r;
	}
	watch_found(share, inode, name ? dir : NULL, at, at_name, &info);
	*ret = (struct fuse_entry_out){.nodeid = inode->id,
				       .generation = 1,
				       .entry_valid = watch_name_seconds(name ? dir : NULL),
				       .attr_valid = watch_attr_seconds(share, inode, &info)};
	share_attr(share, inode, &info, &ret->attr);
	return 0;
}

/*
 * A file that is looked up is likely to be read next, and may be replaced on the host before: as long as
 * there are descriptors to spare, one holds it from now on.
 */
static void hold(struct share *share, struct inode *inode, int dir, const char *name)
{
	struct statx info;
	int fd;

	if (inode->fd >= 0 || inode->type != S_IFREG || share->reach.count >= share->reach.held_max)
		return;
	fd = reach_open_beneath(dir, name);
	if (fd < 0)
		return;
	if (reach_stat_at(fd, "", &info) == 0 && inode_is(inode, &info))
		reach_take(share, inode, fd);
	else
		close(fd);
}

/*
 * Most is not opened until more is asked: what is reached then has to be this file. That what is mounted
 * there is not entered is seen then too, where it is of the same file system.
 */
int share_look(struct share *share, struct inode *dir, const char *name, struct fuse_entry_out *ret)
{
	int fd, r;

	(void)watch_begin(share, dir);
	fd = reach_fd(share, dir);
	r = fd < 0 ? fd : know(share, fd, name, dir, name, ret);
	if (r == 0)
		hold(share, inodes_find(share->inodes, ret->nodeid), fd, name);
	return r;
}

int share_know_file(struct share *share, int file, struct inode *dir, const char *name,
		    struct fuse_entry_out *ret)
{
	(void)watch_begin(share, dir);
	return know(share, file, "", dir, name, ret);
}

int share_enter(struct share *share, struct inode *dir, const char *name, const struct fuse_in_header *maker,
		struct buf *out)
{
	struct fuse_entry_out entry;
	int r = share_look(share, dir, name, &entry);

	if (r < 0)
		return r;
	if (maker)
		owner_begin(share, maker, &entry);
	r = share_append(out, &entry, sizeof(entry));
	if (r < 0)
		inodes_forget(share->inodes, entry.nodeid, 1);
	return r;
}

/* ---- its life ---- */

static void leave(struct inode *inode, void *owner)
{
	struct share *share = owner;

	watch_end(share, inode);
	opened_close(share, inode);
	if (inode->type == S_IFDIR)
		listing_close(share, inode);
	reach_close(share, inode);
}

static size_t between(size_t least, size_t value, size_t most)
{
	return value < least ? least : value > most ? most : value;
}

/* Each kind gets its part of the descriptors that there may be. */
static void share_out(struct share *share)
{
	struct rlimit limit = {.rlim_cur = 1024};
	size_t count, others;

	(void)getrlimit(RLIMIT_NOFILE, &limit);
	count = between(0, limit.rlim_cur, 1 << 24);
	share->opened.max = between(OPENED_MIN, count / 8, OPENED_MAX);
	share->n_listings = between(LISTINGS_MIN, count / 16, LISTINGS_MAX);
	others = share->opened.max * 2 + share->n_listings + FDS_OTHER;
	share->reach.max = between(FDS_MIN, count > others ? count - others : 0, FDS_MAX);
	share->reach.held_max = share->reach.max / 4;
}

static int begin(struct share *share, const struct statx *info)
{
	struct inode *root;
	mode_t type = info->stx_mode & S_IFMT;
	int r = type == S_IFDIR || type == S_IFREG ? 0 : -EINVAL;

	share->uid = geteuid();
	share->gid = getegid();
	share->dev_major = info->stx_dev_major;
	share->dev_minor = info->stx_dev_minor;
	share_out(share);
	share->proc_fds = open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (r == 0 && share->proc_fds < 0)
		r = -errno;
	r = r < 0 ? r : changes_new(&share->changes);
	r = r < 0 ? r : inodes_new(leave, share, &share->inodes);
	return r < 0 ? r : inodes_add(share->inodes, info, &root);
}

int share_new(int root, bool is_read_only, struct share **ret)
{
	struct share *share = calloc(1, sizeof(*share));
	struct statx info;
	int r = share ? reach_stat_at(root, "", &info) : -ENOMEM;

	if (r == 0) {
		*share = (struct share){.is_read_only = is_read_only, .proc_fds = -1};
		r = begin(share, &info);
	}
	if (r < 0) {
		close(root);
		share_free(share);
		return r;
	}
	inodes_find(share->inodes, INODE_ROOT)->fd = root;
	*ret = share;
	return 0;
}

int share_diff(struct share *share, struct buf *into)
{
	return changes_write(share->changes, inodes_find(share->inodes, INODE_ROOT)->fd, into);
}

int share_rest(struct share *share)
{
	return opened_rest(share);
}

void share_number_from(struct share *share, uint64_t place)
{
	inodes_skip(share->inodes, place);
}

void share_continue(struct share *share)
{
	share->is_begun = share->is_openless = true;
	tell_all(share);
}

void share_free(struct share *share)
{
	auto_buf struct buf last = {0};

	if (!share)
		return;
	while (share_collect(share, /* waits= */ true, &last) > 0)
		buf_clear(&last);
	pool_free(share->pool);
	watch_free(steal(&share->watch));
	tell_done(&share->tell);
	guard_done(&share->guard);
	inodes_free(share->inodes);
	changes_free(share->changes);
	if (share->proc_fds >= 0)
		close(share->proc_fds);
	free(share);
}
