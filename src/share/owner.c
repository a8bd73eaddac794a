#include "share/owner.h"

#include "share/opened.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>

enum { TEXT_BYTES = 32, PATH_BYTES = 300 };

#define ATTRIBUTE "user.sbx.owner"

/* O_PATH descriptors have no attributes; what they stand for has, by its name in /proc. */
static const char *path_of(int fd, char ret[PATH_BYTES])
{
	snprintf(ret, PATH_BYTES, "/proc/self/fd/%d", fd);
	return ret;
}

static uint32_t plain(uint32_t owner, uint32_t own)
{
	return owner == own ? SHARE_GUEST_UID : SHARE_GUEST_NOBODY;
}

static ssize_t read_text(struct share *share, struct inode *inode, char text[TEXT_BYTES])
{
	const struct inode *above = inode->parent;
	char path[PATH_BYTES];
	int fd = inode->fd;

	/* No descriptor is opened for this alone: what lies in its place is that file, as it was just seen.
	 */
	if (fd < 0 && above && above->fd >= 0 && strlen(inode->name) < REQUEST_NAME_BYTES) {
		snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", above->fd, inode->name);
		return lgetxattr(path, ATTRIBUTE, text, TEXT_BYTES - 1);
	}
	fd = reach_fd(share, inode);
	return fd < 0 ? -1 : getxattr(path_of(fd, path), ATTRIBUTE, text, TEXT_BYTES - 1);
}

static bool parse(char *text, ssize_t len, uint32_t *ret_uid, uint32_t *ret_gid)
{
	unsigned uid, gid;
	int used = 0;

	if (len <= 0)
		return false;
	text[len] = '\0';
	if (sscanf(text, "%10u:%10u%n", &uid, &gid, &used) != 2 || used != len)
		return false;
	*ret_uid = uid;
	*ret_gid = gid;
	return true;
}

/* Whatever changes the attribute changes the file's ctime too. */
void owner_read(struct share *share, struct inode *inode, const struct statx *info, uint32_t *ret_uid,
		uint32_t *ret_gid)
{
	int64_t ctime_ns = inode_time(&info->stx_ctime);
	char text[TEXT_BYTES];

	*ret_uid = plain(info->stx_uid, share->uid);
	*ret_gid = plain(info->stx_gid, share->gid);
	if (inode->type != S_IFREG && inode->type != S_IFDIR)
		return;
	if (inode->owner_ctime_ns != ctime_ns) {
		inode->has_owner =
			parse(text, read_text(share, inode, text), &inode->owner_uid, &inode->owner_gid);
		inode->owner_ctime_ns = ctime_ns;
	}
	if (!inode->has_owner)
		return;
	*ret_uid = inode->owner_uid;
	*ret_gid = inode->owner_gid;
}

static int write_text(int fd, uint32_t uid, uint32_t gid)
{
	char path[PATH_BYTES], text[TEXT_BYTES];
	int len = snprintf(text, sizeof(text), "%u:%u", uid, gid);
	int r;

	if (uid == SHARE_GUEST_UID && gid == SHARE_GUEST_UID)
		r = removexattr(path_of(fd, path), ATTRIBUTE);
	else
		r = setxattr(path_of(fd, path), ATTRIBUTE, text, (size_t)len, 0);
	if (r == 0 || errno == ENODATA || errno == EOPNOTSUPP || errno == ENOSPC)
		return 0;
	return -errno;
}

int owner_write(struct share *share, struct inode *inode, uint32_t uid, uint32_t gid)
{
	mode_t mode = 0;
	int fd, r;

	if (inode->type != S_IFREG && inode->type != S_IFDIR)
		return 0;
	fd = reach_fd(share, inode);
	if (fd < 0)
		return fd;
	inode->owner_ctime_ns = 0; /* times are coarse: what is written within one is not told apart */
	r = write_text(fd, uid, gid);
	/* Attributes of a file that nobody may write to cannot be set by its owner either. */
	if (r != -EACCES || opened_lend(share, inode, &mode) < 0)
		return r;
	r = write_text(fd, uid, gid);
	(void)opened_take_back(share, inode, mode);
	return r;
}

void owner_begin(struct share *share, const struct fuse_in_header *maker, struct fuse_entry_out *entry)
{
	struct inode *inode = inodes_find(share->inodes, entry->nodeid);

	if (maker->uid == SHARE_GUEST_UID && maker->gid == SHARE_GUEST_UID)
		return;
	if (inode && owner_write(share, inode, maker->uid, maker->gid) == 0) {
		entry->attr.uid = maker->uid;
		entry->attr.gid = maker->gid;
	}
}

bool owner_is_attribute(const char *name)
{
	return strncmp(name, "user.sbx.", 9) == 0;
}
