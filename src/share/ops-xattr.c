/* Extended attributes: those of the user name space. */
#include "share/ops.h"
#include "share/owner.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/xattr.h>

enum { XATTR_VALUE_MAX_BYTES = 65536, XATTR_NAME_BYTES = 256 };

static int take_xattr_name(struct request *request, char name[XATTR_NAME_BYTES])
{
	int r = request_take_text(request, name, XATTR_NAME_BYTES);

	return r < 0                                                                    ? r
	       : strncmp(name, "user.", 5) == 0 && name[5] && !owner_is_attribute(name) ? 0
											: -EOPNOTSUPP;
}

static int open_for_xattr(struct share *share, const struct request *request, bool is_change)
{
	struct inode *inode;
	int r = share_inode(share, request, 0, &inode);

	if (r == 0 && is_change)
		r = guard_change(share, inode, false);
	if (r < 0)
		return r;
	return inode->type == S_IFREG || inode->type == S_IFDIR ? reach_open(share, inode, O_RDONLY)
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
	autofd int fd = open_for_xattr(share, request, false);
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
	autofd int fd = open_for_xattr(share, request, true);
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
	autofd int fd = open_for_xattr(share, request, false);
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
	autofd int fd = open_for_xattr(share, request, true);
	char name[XATTR_NAME_BYTES];
	int r = fd < 0 ? fd : take_xattr_name(request, name);

	(void)out;
	if (r == 0 && fremovexattr(fd, name) < 0)
		r = -errno;
	return r;
}
