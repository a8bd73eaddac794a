#include "share/ops.h"
#include "share/owner.h"
#include "wire/share.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/statvfs.h>

/* All but the size, which is judged where the file is opened for that. */
enum { CHANGES = FATTR_UID | FATTR_GID | FATTR_MODE | FATTR_ATIME | FATTR_MTIME };

static int answer_attr(struct share *share, struct inode *inode, struct buf *out)
{
	struct fuse_attr_out reply = {.attr_valid = 0};
	struct statx info;
	int r = watch_stat(share, inode, &info);

	if (r < 0)
		return r;
	reply.attr_valid = watch_attr_seconds(share, inode, &info);
	share_attr(share, inode, &info, &reply.attr);
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
static int set_mode(struct share *share, struct inode *inode, uint32_t mode)
{
	int fd = inode->type == S_IFLNK ? -EOPNOTSUPP : reach_fd(share, inode);
	char name[16];

	if (fd < 0)
		return fd;
	snprintf(name, sizeof(name), "%d", fd);
	return fchmodat(share->proc_fds, name, share_mode(mode), 0) < 0 ? -errno : 0;
}

static int set_size(struct share *share, struct inode *inode, uint64_t size)
{
	struct opened *opened;
	int r = inode->type == S_IFREG ? opened_get(share, inode, true, &opened) : -EINVAL;

	if (r < 0)
		return r;
	if (inode->is_pointer && size > 0)
		return -EACCES;
	return size > INT64_MAX ? -EFBIG : ftruncate(opened->fd, (off_t)size) < 0 ? -errno : 0;
}

static int set_times(struct share *share, struct inode *inode, const struct fuse_setattr_in *in)
{
	int fd = reach_fd(share, inode);
	const struct timespec times[] = {
		time_of(in->valid, FATTR_ATIME, FATTR_ATIME_NOW, in->atime, in->atimensec),
		time_of(in->valid, FATTR_MTIME, FATTR_MTIME_NOW, in->mtime, in->mtimensec)};

	if (in->atimensec >= 1000000000 || in->mtimensec >= 1000000000)
		return -EINVAL;
	if (fd < 0)
		return fd;
	return utimensat(fd, "", times, AT_EMPTY_PATH) < 0 ? -errno : 0;
}

static int set_owner(struct share *share, struct inode *inode, const struct fuse_setattr_in *in)
{
	uint32_t uid, gid;
	struct statx info;
	int r = reach_stat(share, inode, &info);

	if (r < 0)
		return r;
	owner_read(share, inode, &info, &uid, &gid);
	if (in->valid & FATTR_UID)
		uid = in->uid;
	if (in->valid & FATTR_GID)
		gid = in->gid;
	return owner_write(share, inode, uid, gid);
}

/* The guest program only wants its kernel to tell who watches the file (wire/share.h). */
static bool is_touch(const struct fuse_setattr_in *in)
{
	return (in->valid & (FATTR_MTIME | FATTR_MTIME_NOW)) == FATTR_MTIME &&
	       (int64_t)in->mtime == SHARE_TOUCH_SECONDS && in->mtimensec == SHARE_TOUCH_NANOSECONDS;
}

int op_setattr(struct share *share, struct request *request, struct buf *out)
{
	struct fuse_setattr_in in;
	struct inode *inode;
	int r = share_inode(share, request, 0, &inode);

	r = r < 0 ? r : request_take(request, &in, sizeof(in));
	if (r == 0 && is_touch(&in))
		return answer_attr(share, inode, out);
	if (r == 0 && share->is_read_only)
		return -EROFS;
	if (r == 0 && (in.valid & CHANGES))
		r = guard_change(share, inode, !(in.valid & (FATTR_UID | FATTR_GID | FATTR_MODE)));
	if (r == 0 && (in.valid & (FATTR_UID | FATTR_GID)))
		r = set_owner(share, inode, &in);
	if (r == 0 && (in.valid & FATTR_MODE))
		r = set_mode(share, inode, in.mode);
	if (r == 0 && (in.valid & FATTR_SIZE))
		r = set_size(share, inode, in.size);
	if (r == 0 && (in.valid & (FATTR_ATIME | FATTR_MTIME)))
		r = set_times(share, inode, &in);
	if (r == 0 && (in.valid & (FATTR_MODE | FATTR_SIZE)))
		changed_modified(share, inode);
	return r < 0 ? r : answer_attr(share, inode, out);
}

int op_statfs(struct share *share, struct request *request, struct buf *out)
{
	struct fuse_statfs_out reply = {.st = {.namelen = REQUEST_NAME_BYTES - 1}};
	struct inode *inode;
	struct statvfs info;
	int r = share_inode(share, request, 0, &inode);
	int fd = r < 0 ? r : reach_fd(share, inode);

	if (fd < 0)
		return fd;
	if (fstatvfs(fd, &info) < 0)
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
