#include "share/ops.h"
#include "share/owner.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>

/* The guest's kernel may keep what it has been told for so long, as far as nobody tells it that it has
 * changed. */
enum { KEEP_SECONDS = 1 };

static int op_init(struct share *share, struct request *request, struct buf *out)
{
	static const uint32_t wanted = FUSE_ASYNC_READ | FUSE_BIG_WRITES | FUSE_ATOMIC_O_TRUNC |
				       FUSE_DO_READDIRPLUS | FUSE_READDIRPLUS_AUTO | FUSE_PARALLEL_DIROPS |
				       FUSE_MAX_PAGES | FUSE_DONT_MASK | FUSE_EXPORT_SUPPORT;
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
	reply.max_readahead = init.max_readahead;
	reply.flags = init.flags & wanted;
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
	[FUSE_SYNCFS] = {op_nothing, false, false},
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
	[FUSE_SETATTR] = {op_setattr, true, false},
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
	auto_buf struct buf body = {0};
	struct request request;
	const struct row *row;
	int r;

	request_open(message, &request);
	row = request.head.opcode < array_len(rows) ? &rows[request.head.opcode] : NULL;
	r = run(share, row, &request, &body);
	if (row && row->is_silent)
		return 0;
	head.unique = request.head.unique;
	head.error = r < 0 ? r : 0;
	if (r == 0)
		head.len += (uint32_t)body.len;
	if (!buf_space(reply, head.len))
		return -ENOMEM;
	(void)share_append(reply, &head, sizeof(head));
	return r < 0 ? 0 : buf_append(reply, buf_slice(&body));
}

/* ---- what the operations share ---- */

int share_append(struct buf *out, const void *bytes, size_t size)
{
	return buf_append(out, slice_of(bytes, size));
}

int share_inode(const struct share *share, const struct request *request, mode_t type, struct inode **ret)
{
	struct inode *inode = inodes_find(share->inodes, request->head.nodeid);

	if (!inode)
		return -ESTALE;
	if (type && inode->type != type)
		return type == S_IFDIR ? -ENOTDIR : -EINVAL;
	*ret = inode;
	return 0;
}

void share_attr(const struct share *share, int fd, const struct stat *info, struct fuse_attr *ret)
{
	*ret = (struct fuse_attr){.ino = info->st_ino,
				  .size = (uint64_t)info->st_size,
				  .blocks = (uint64_t)info->st_blocks,
				  .atime = (uint64_t)info->st_atim.tv_sec,
				  .mtime = (uint64_t)info->st_mtim.tv_sec,
				  .ctime = (uint64_t)info->st_ctim.tv_sec,
				  .atimensec = (uint32_t)info->st_atim.tv_nsec,
				  .mtimensec = (uint32_t)info->st_mtim.tv_nsec,
				  .ctimensec = (uint32_t)info->st_ctim.tv_nsec,
				  .mode = info->st_mode & (S_IFMT | 01777),
				  .nlink = (uint32_t)info->st_nlink,
				  .blksize = (uint32_t)info->st_blksize};
	owner_read(share, fd, info, &ret->uid, &ret->gid);
}

int share_open_beneath(const struct inode *dir, const char *name)
{
	struct open_how {
		uint64_t flags, mode, resolve;
	} how = {.flags = O_PATH | O_NOFOLLOW | O_CLOEXEC,
		 .resolve = 0x01 | 0x02 | 0x04 | 0x08}; /* no other mount, no magic link, no link, beneath */
	int fd = (int)syscall(SYS_openat2, dir->fd, name, &how, sizeof(how));

	return fd < 0 ? -errno : fd;
}

/* Takes an O_PATH descriptor, and counts its inode once more. */
static int know(struct share *share, int fd, struct fuse_entry_out *ret)
{
	struct inode *inode;
	struct stat info;
	int r;

	if (fstat(fd, &info) < 0 || info.st_dev != share->dev) {
		close(fd);
		return -EXDEV;
	}
	r = inodes_add(share->inodes, fd, &info, &inode);
	if (r < 0)
		return r;
	*ret = (struct fuse_entry_out){.nodeid = inode->id,
				       .generation = 1,
				       .entry_valid = KEEP_SECONDS,
				       .attr_valid = KEEP_SECONDS};
	share_attr(share, inode->fd, &info, &ret->attr);
	return 0;
}

int share_look(struct share *share, const struct inode *dir, const char *name, struct fuse_entry_out *ret)
{
	int fd = share_open_beneath(dir, name);

	return fd < 0 ? fd : know(share, fd, ret);
}

int share_know_file(struct share *share, int file, struct fuse_entry_out *ret)
{
	char name[16];
	int fd;

	snprintf(name, sizeof(name), "%d", file);
	fd = openat(share->proc_fds, name, O_PATH | O_CLOEXEC);
	return fd < 0 ? -errno : know(share, fd, ret);
}

int share_enter(struct share *share, const struct inode *dir, const char *name,
		const struct fuse_in_header *maker, struct buf *out)
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

int share_reopen(const struct share *share, const struct inode *inode, int flags)
{
	char name[16];
	int fd;

	if (inode->type != S_IFREG && inode->type != S_IFDIR)
		return -EPERM; /* a device, FIFO or socket of the host is nobody's to open */
	snprintf(name, sizeof(name), "%d", inode->fd);
	fd = openat(share->proc_fds, name, flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	return fd < 0 ? -errno : fd;
}

int share_new(int root, bool is_read_only, struct share **ret)
{
	struct share *share = calloc(1, sizeof(*share));
	struct stat info = {0};
	int r = share ? 0 : -ENOMEM;

	if (r < 0 || fstat(root, &info) < 0) {
		close(root);
		free(share);
		return r < 0 ? r : -errno;
	}
	*share = (struct share){.dev = info.st_dev, .is_read_only = is_read_only};
	share->proc_fds = open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC);
	r = inodes_new(root, &share->inodes);
	if (r == 0 && share->proc_fds < 0)
		r = -ENOENT;
	r = r < 0 ? r : handles_new(&share->handles);
	if (r < 0)
		share_free(share);
	else
		*ret = share;
	return r;
}

void share_number_from(struct share *share, uint64_t place)
{
	inodes_skip(share->inodes, place);
	handles_skip(share->handles, place);
}

void share_continue(struct share *share)
{
	share->is_begun = true;
}

void share_free(struct share *share)
{
	if (!share)
		return;
	handles_free(share->handles);
	inodes_free(share->inodes);
	if (share->proc_fds >= 0)
		close(share->proc_fds);
	free(share);
}
