#include "share/ops.h"
#include "share/owner.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>

enum { XATTR_VALUE_MAX_BYTES = 65536, XATTR_NAME_BYTES = 256 };

/* ---- attributes ---- */

static int answer_attr(const struct share *share, const struct inode *inode, struct buf *out)
{
	struct fuse_attr_out reply = {.attr_valid = 1};
	struct stat info;

	if (fstat(inode->fd, &info) < 0)
		return -errno;
	share_attr(share, inode->fd, &info, &reply.attr);
	return share_append(out, &reply, sizeof(reply));
}

int op_getattr(struct share *share, struct request *request, struct buf *out)
{
	struct inode *inode;
	int r = share_inode(share, request, 0, &inode);

	return r < 0 ? r : answer_attr(share, inode, out);
}

static struct timespec time_of(uint32_t valid, uint32_t flag, uint32_t now_flag, uint64_t seconds,
			       uint32_t nanoseconds)
{
	if (!(valid & flag))
		return (struct timespec){.tv_nsec = UTIME_OMIT};
	if (valid & now_flag)
		return (struct timespec){.tv_nsec = UTIME_NOW};
	return (struct timespec){.tv_sec = (time_t)seconds, .tv_nsec = nanoseconds};
}

/* Changing a link itself, which no O_PATH descriptor allows, needs its name in /proc. */
static int set_mode(const struct share *share, const struct inode *inode, uint32_t mode)
{
	char name[16];

	if (inode->type == S_IFLNK)
		return -EOPNOTSUPP;
	snprintf(name, sizeof(name), "%d", inode->fd);
	return fchmodat(share->proc_fds, name, share_mode(mode), 0) < 0 ? -errno : 0;
}

static int set_size(const struct share *share, const struct inode *inode, uint64_t size)
{
	autofd int fd = inode->type == S_IFREG ? share_reopen(share, inode, O_WRONLY) : -EINVAL;

	if (fd < 0)
		return fd;
	return size > INT64_MAX ? -EFBIG : ftruncate(fd, (off_t)size) < 0 ? -errno : 0;
}

static int set_times(const struct inode *inode, const struct fuse_setattr_in *in)
{
	const struct timespec times[] = {
		time_of(in->valid, FATTR_ATIME, FATTR_ATIME_NOW, in->atime, in->atimensec),
		time_of(in->valid, FATTR_MTIME, FATTR_MTIME_NOW, in->mtime, in->mtimensec)};

	if (in->atimensec >= 1000000000 || in->mtimensec >= 1000000000)
		return -EINVAL;
	return utimensat(inode->fd, "", times, AT_EMPTY_PATH) < 0 ? -errno : 0;
}

static int set_owner(const struct share *share, const struct inode *inode, const struct fuse_setattr_in *in)
{
	uint32_t uid, gid;
	struct stat info;

	if (fstat(inode->fd, &info) < 0)
		return -errno;
	owner_read(share, inode->fd, &info, &uid, &gid);
	if (in->valid & FATTR_UID)
		uid = in->uid;
	if (in->valid & FATTR_GID)
		gid = in->gid;
	return owner_write(share, inode, uid, gid);
}

int op_setattr(struct share *share, struct request *request, struct buf *out)
{
	struct fuse_setattr_in in;
	struct inode *inode;
	int r = share_inode(share, request, 0, &inode);

	r = r < 0 ? r : request_take(request, &in, sizeof(in));
	if (r == 0 && (in.valid & (FATTR_UID | FATTR_GID)))
		r = set_owner(share, inode, &in);
	if (r == 0 && (in.valid & FATTR_MODE))
		r = set_mode(share, inode, in.mode);
	if (r == 0 && (in.valid & FATTR_SIZE))
		r = set_size(share, inode, in.size);
	if (r == 0 && (in.valid & (FATTR_ATIME | FATTR_MTIME)))
		r = set_times(inode, &in);
	return r < 0 ? r : answer_attr(share, inode, out);
}

int op_statfs(struct share *share, struct request *request, struct buf *out)
{
	struct fuse_statfs_out reply = {.st = {.namelen = REQUEST_NAME_BYTES - 1}};
	struct inode *inode;
	struct statvfs info;
	int r = share_inode(share, request, 0, &inode);

	if (r < 0)
		return r;
	if (fstatvfs(inode->fd, &info) < 0)
		return -errno;
	reply.st.blocks = info.f_blocks;
	reply.st.bfree = info.f_bfree;
	reply.st.bavail = info.f_bavail;
	reply.st.files = info.f_files;
	reply.st.ffree = info.f_ffree;
	reply.st.bsize = (uint32_t)info.f_bsize;
	reply.st.frsize = (uint32_t)info.f_frsize;
	return share_append(out, &reply, sizeof(reply));
}

/* The guest's kernel judges by the attributes; the host's judges again whatever is done. */
int op_access(struct share *share, struct request *request, struct buf *out)
{
	struct inode *inode;

	(void)out;
	return share_inode(share, request, 0, &inode);
}

/* ---- extended attributes: those of the user name space ---- */

static int take_xattr_name(struct request *request, char name[XATTR_NAME_BYTES])
{
	int r = request_take_text(request, name, XATTR_NAME_BYTES);

	return r < 0                                                                    ? r
	       : strncmp(name, "user.", 5) == 0 && name[5] && !owner_is_attribute(name) ? 0
											: -EOPNOTSUPP;
}

static int open_for_xattr(const struct share *share, const struct request *request)
{
	struct inode *inode;
	int r = share_inode(share, request, 0, &inode);

	if (r < 0)
		return r;
	return inode->type == S_IFREG || inode->type == S_IFDIR ? share_reopen(share, inode, O_RDONLY)
								: -EOPNOTSUPP;
}

/* A size of 0 asks how much there is. */
static int answer_value(struct buf *out, const char *value, ssize_t len, uint32_t room)
{
	struct fuse_getxattr_out size = {.size = (uint32_t)len};

	if (len < 0)
		return -errno;
	if (room == 0)
		return share_append(out, &size, sizeof(size));
	return (size_t)len > room ? -ERANGE : share_append(out, value, (size_t)len);
}

int op_getxattr(struct share *share, struct request *request, struct buf *out)
{
	autofree char *value = malloc(XATTR_VALUE_MAX_BYTES);
	autofd int fd = open_for_xattr(share, request);
	struct fuse_getxattr_in in;
	char name[XATTR_NAME_BYTES];
	int r = fd < 0 ? fd : value ? request_take(request, &in, sizeof(in)) : -ENOMEM;

	r = r < 0 ? r : take_xattr_name(request, name);
	if (r < 0)
		return r == -EOPNOTSUPP ? -ENODATA : r;
	return answer_value(out, value, fgetxattr(fd, name, value, XATTR_VALUE_MAX_BYTES), in.size);
}

int op_setxattr(struct share *share, struct request *request, struct buf *out)
{
	autofd int fd = open_for_xattr(share, request);
	/* The longer form of it is not agreed upon in INIT. */
	struct {
		uint32_t size, flags;
	} in;
	char name[XATTR_NAME_BYTES];
	int r = fd < 0 ? fd : request_take(request, &in, sizeof(in));

	(void)out;
	r = r < 0 ? r : take_xattr_name(request, name);
	if (r == 0 && (in.size > XATTR_VALUE_MAX_BYTES || request->body.len < in.size))
		r = -EINVAL;
	if (r == 0 && fsetxattr(fd, name, request->body.ptr, in.size,
				(int)(in.flags & (XATTR_CREATE | XATTR_REPLACE))) < 0)
		r = -errno;
	return r;
}

int op_listxattr(struct share *share, struct request *request, struct buf *out)
{
	autofree char *names = malloc(XATTR_VALUE_MAX_BYTES);
	autofd int fd = open_for_xattr(share, request);
	struct fuse_getxattr_in in;
	auto_buf struct buf own = {0};
	ssize_t len;
	int r = fd < 0 ? fd : names ? request_take(request, &in, sizeof(in)) : -ENOMEM;

	if (r < 0)
		return r;
	len = flistxattr(fd, names, XATTR_VALUE_MAX_BYTES);
	if (len < 0)
		return -errno;
	for (const char *name = names; r == 0 && name < names + len; name += strlen(name) + 1)
		if (strncmp(name, "user.", 5) == 0 && !owner_is_attribute(name))
			r = share_append(&own, name, strlen(name) + 1);
	return r < 0 ? r : answer_value(out, buf_text(&own), (ssize_t)own.len, in.size);
}

int op_removexattr(struct share *share, struct request *request, struct buf *out)
{
	autofd int fd = open_for_xattr(share, request);
	char name[XATTR_NAME_BYTES];
	int r = fd < 0 ? fd : take_xattr_name(request, name);

	(void)out;
	if (r == 0 && fremovexattr(fd, name) < 0)
		r = -errno;
	return r;
}
