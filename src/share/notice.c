#include "share/notice.h"

#include "wire/share.h"

#include <errno.h>
#include <linux/fuse.h>

/* All or nothing: what follows in the buffer begins with a head. */
static int append(struct buf *into, int code, struct slice body, const struct slice *name)
{
	const struct fuse_out_header head = {
		.len = (uint32_t)(sizeof(head) + body.len + (name ? name->len + 1 : 0)), .error = code};
	int r = buf_space(into, head.len) ? 0 : -ENOMEM;

	r = r < 0 ? r : buf_append(into, slice_of(&head, sizeof(head)));
	r = r < 0 ? r : buf_append(into, body);
	if (r == 0 && name) {
		r = buf_append(into, *name);
		r = r < 0 ? r : buf_append(into, slice_of("", 1));
	}
	return r;
}

int notice_entry(struct buf *into, uint64_t folder, struct slice name)
{
	const struct fuse_notify_inval_entry_out body = {.parent = folder, .namelen = (uint32_t)name.len};

	return append(into, FUSE_NOTIFY_INVAL_ENTRY, slice_of(&body, sizeof(body)), &name);
}

int notice_delete(struct buf *into, uint64_t folder, uint64_t file, struct slice name)
{
	const struct fuse_notify_delete_out body = {
		.parent = folder, .child = file, .namelen = (uint32_t)name.len};

	return append(into, FUSE_NOTIFY_DELETE, slice_of(&body, sizeof(body)), &name);
}

int notice_inode(struct buf *into, uint64_t inode, bool has_content)
{
	/* From the first byte to the last; from before the first: none. */
	const struct fuse_notify_inval_inode_out body = {.ino = inode, .off = has_content ? 0 : -1};

	return append(into, FUSE_NOTIFY_INVAL_INODE, slice_of(&body, sizeof(body)), NULL);
}

int notice_touch(struct buf *into, uint64_t folder, struct slice name)
{
	const struct share_touch body = {.dir = folder};

	return append(into, SHARE_NOTIFY_TOUCH, slice_of(&body, sizeof(body)), &name);
}

int notice_drop(struct buf *into)
{
	return append(into, SHARE_NOTIFY_DROP, slice_of("", 0), NULL);
}
