#include "share/ops.h"

#include <errno.h>
#include <stddef.h>

/* As op_open(). What the guest's kernel has listed it may keep. */
int op_opendir(struct share *share, struct request *request, struct buf *out)
{
	const struct fuse_open_out reply = {.open_flags = FOPEN_KEEP_CACHE | FOPEN_CACHE_DIR};
	struct inode *inode;
	int r = share_inode(share, request, S_IFDIR, &inode);

	if (r < 0)
		return r;
	return share->is_openless ? -ENOSYS : share_append(out, &reply, sizeof(reply));
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
static int add(struct share *share, struct inode *dir, const struct dirent *dirent, bool has_entries,
	       struct buf *out)
{
	struct fuse_entry_out entry = {.nodeid = 0};
	size_t before = out->len;
	int r;

	/* One that cannot be looked up, or has just gone, is listed all the same. */
	if (has_entries && !is_dot(dirent->d_name) && share_look(share, dir, dirent->d_name, &entry) < 0)
		entry = (struct fuse_entry_out){.nodeid = 0};
	r = append_entry(out, has_entries ? &entry : NULL, dirent, strlen(dirent->d_name));
	if (r < 0)
		buf_cut(out, before);
	if (r < 0 && entry.nodeid)
		inodes_forget(share->inodes, entry.nodeid, 1);
	return r;
}

/* Where the next entry has no room any more, the listing has to be moved back to it. */
static int fill(struct share *share, struct inode *dir, struct listing *listing, size_t room,
		bool has_entries, struct buf *out)
{
	const struct dirent *dirent;
	size_t before = out->len;
	int r = 0;

	while (r == 0 && (errno = 0, dirent = readdir(listing->dir))) {
		size_t needed =
			FUSE_DIRENT_ALIGN(offsetof(struct fuse_dirent, name) + strlen(dirent->d_name)) +
			(has_entries ? sizeof(struct fuse_entry_out) : 0);

		r = out->len - before + needed > room ? -ENOBUFS : add(share, dir, dirent, has_entries, out);
		if (r == 0)
			listing->at = (uint64_t)dirent->d_off;
		else
			seekdir(listing->dir, (long)listing->at);
	}
	if (r == 0 && errno)
		r = -errno;
	return out->len > before || r == -ENOBUFS ? 0 : r;
}

static int list(struct share *share, struct request *request, bool has_entries, struct buf *out)
{
	struct listing *listing;
	struct fuse_read_in in;
	struct inode *dir;
	int r = request_take(request, &in, sizeof(in));

	r = r < 0 ? r : share_inode(share, request, S_IFDIR, &dir);
	if (r < 0)
		return r;
	if (in.size > REQUEST_DATA_MAX_BYTES || in.offset > INT64_MAX)
		return -EINVAL;
	r = listing_get(share, dir, in.offset, &listing);
	return r < 0 ? r : fill(share, dir, listing, in.size, has_entries, out);
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
	struct inode *inode;

	(void)out;
	return share_inode(share, request, S_IFDIR, &inode);
}
