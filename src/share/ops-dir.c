#include "share/ops.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

int op_opendir(struct share *share, struct request *request, struct buf *out)
{
	struct fuse_open_out reply = {.open_flags = 0};
	struct handle *handle;
	struct inode *inode;
	DIR *dir;
	int r = share_inode(share, request, S_IFDIR, &inode);
	int fd = r < 0 ? r : share_reopen(share, inode, O_RDONLY | O_DIRECTORY);

	if (fd < 0)
		return fd;
	dir = fdopendir(fd);
	if (!dir) {
		r = -errno;
		close(fd);
		return r;
	}
	r = handles_add(share->handles, inode->id, fd, dir, &handle);
	if (r < 0)
		return r;
	reply.fh = handle->id;
	return share_append(out, &reply, sizeof(reply));
}

static bool is_dot(const char *name)
{
	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

static int append_entry(struct buf *out, const struct fuse_entry_out *entry, const struct dirent *dirent,
			size_t len)
{
	static const char zeros[8] = {0};
	const struct fuse_dirent head = {.ino = dirent->d_ino,
					 .off = (uint64_t)dirent->d_off,
					 .namelen = (uint32_t)len,
					 .type = dirent->d_type};
	size_t padding = FUSE_DIRENT_ALIGN(sizeof(head) + len) - sizeof(head) - len;
	int r = entry ? share_append(out, entry, sizeof(*entry)) : 0;

	r = r < 0 ? r : share_append(out, &head, offsetof(struct fuse_dirent, name));
	r = r < 0 ? r : share_append(out, dirent->d_name, len);
	return r < 0 ? r : share_append(out, zeros, padding);
}

/* With each entry what a look-up would have told: one message instead of many. */
static int add(struct share *share, const struct inode *dir, const struct dirent *dirent, size_t room,
	       bool has_entries, struct buf *out)
{
	size_t len = strlen(dirent->d_name);
	size_t needed = FUSE_DIRENT_ALIGN(offsetof(struct fuse_dirent, name) + len);
	struct fuse_entry_out entry = {.nodeid = 0};
	int r;

	if (out->len + needed + (has_entries ? sizeof(entry) : 0) > room)
		return -ENOBUFS;
	/* One that cannot be looked up, or has just gone, is listed all the same. */
	if (has_entries && !is_dot(dirent->d_name) && share_look(share, dir, dirent->d_name, &entry) < 0)
		entry = (struct fuse_entry_out){.nodeid = 0};
	r = append_entry(out, has_entries ? &entry : NULL, dirent, len);
	if (r < 0 && entry.nodeid)
		inodes_forget(share->inodes, entry.nodeid, 1);
	return r;
}

static int list(struct share *share, struct request *request, bool has_entries, struct buf *out)
{
	const struct dirent *dirent;
	struct fuse_read_in in;
	struct handle *handle;
	struct inode *dir;
	int r = request_take(request, &in, sizeof(in));

	r = r < 0 ? r : share_inode(share, request, S_IFDIR, &dir);
	if (r < 0)
		return r;
	handle = handles_find(share->handles, in.fh, request->head.nodeid);
	if (!handle || !handle->dir)
		return -EBADF;
	if (in.size > REQUEST_DATA_MAX_BYTES || in.offset > INT64_MAX)
		return -EINVAL;
	seekdir(handle->dir, (long)in.offset);
	while (r == 0 && (errno = 0, dirent = readdir(handle->dir)))
		r = add(share, dir, dirent, in.size, has_entries, out);
	if (r == 0 && errno)
		r = -errno;
	return r == -ENOBUFS ? 0 : r;
}

int op_readdir(struct share *share, struct request *request, struct buf *out)
{
	return list(share, request, false, out);
}

int op_readdirplus(struct share *share, struct request *request, struct buf *out)
{
	return list(share, request, true, out);
}

int op_releasedir(struct share *share, struct request *request, struct buf *out)
{
	struct fuse_release_in in;
	const struct handle *handle;
	int r = request_take(request, &in, sizeof(in));

	(void)out;
	if (r < 0)
		return r;
	handle = handles_find(share->handles, in.fh, request->head.nodeid);
	if (!handle || !handle->dir)
		return -EBADF;
	handles_remove(share->handles, in.fh);
	return 0;
}

int op_fsyncdir(struct share *share, struct request *request, struct buf *out)
{
	struct fuse_fsync_in in;
	const struct handle *handle;
	int r = request_take(request, &in, sizeof(in));

	(void)out;
	if (r < 0)
		return r;
	handle = handles_find(share->handles, in.fh, request->head.nodeid);
	if (!handle || !handle->dir)
		return -EBADF;
	return fsync(handle->fd) < 0 ? -errno : 0;
}
