#include "share/owner.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>

enum { TEXT_BYTES = 32, PATH_BYTES = 40 };

#define ATTRIBUTE "user.sbx.owner"

/* O_PATH descriptors have no attributes; what they stand for has, by its name in /proc. */
static const char *path_of(int fd, char ret[PATH_BYTES])
{
	snprintf(ret, PATH_BYTES, "/proc/self/fd/%d", fd);
	return ret;
}

static uint32_t plain(uid_t owner, uid_t own)
{
	return owner == own ? SHARE_GUEST_UID : SHARE_GUEST_NOBODY;
}

void owner_read(const struct share *share, int fd, const struct stat *info, uint32_t *ret_uid,
		uint32_t *ret_gid)
{
	char path[PATH_BYTES], text[TEXT_BYTES];
	unsigned uid, gid;
	ssize_t len;
	int used = 0;

	(void)share;
	*ret_uid = plain(info->st_uid, geteuid());
	*ret_gid = plain(info->st_gid, getegid());
	if (!S_ISREG(info->st_mode) && !S_ISDIR(info->st_mode))
		return;
	len = getxattr(path_of(fd, path), ATTRIBUTE, text, sizeof(text) - 1);
	if (len <= 0)
		return;
	text[len] = '\0';
	if (sscanf(text, "%10u:%10u%n", &uid, &gid, &used) != 2 || used != len)
		return;
	*ret_uid = uid;
	*ret_gid = gid;
}

int owner_write(const struct share *share, const struct inode *inode, uint32_t uid, uint32_t gid)
{
	char path[PATH_BYTES], text[TEXT_BYTES];
	int len = snprintf(text, sizeof(text), "%u:%u", uid, gid);
	int r;

	(void)share;
	if (inode->type != S_IFREG && inode->type != S_IFDIR)
		return 0;
	if (uid == SHARE_GUEST_UID && gid == SHARE_GUEST_UID)
		r = removexattr(path_of(inode->fd, path), ATTRIBUTE);
	else
		r = setxattr(path_of(inode->fd, path), ATTRIBUTE, text, (size_t)len, 0);
	if (r == 0 || errno == ENODATA || errno == EOPNOTSUPP || errno == ENOSPC)
		return 0;
	return -errno;
}

void owner_begin(const struct share *share, const struct fuse_in_header *maker, struct fuse_entry_out *entry)
{
	const struct inode *inode = inodes_find(share->inodes, entry->nodeid);

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
