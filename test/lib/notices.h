/* What the server tells of its own accord, as text. Included by unit tests. */
#pragma once

#include "base/buf.h"
#include "wire/share.h"

#include <linux/fuse.h>

static inline void describe_one(const struct fuse_out_header *head, const char *body, struct buf *ret)
{
	struct fuse_notify_inval_entry_out entry;
	struct fuse_notify_delete_out gone;
	struct fuse_notify_inval_inode_out inode;
	struct share_touch touched;

	switch (head->error) {
	case FUSE_NOTIFY_INVAL_ENTRY:
		memcpy(&entry, body, sizeof(entry));
		assert_int_equal(head->len, sizeof(*head) + sizeof(entry) + entry.namelen + 1);
		(void)buf_printf(ret, "entry %d '%s'\n", (int)entry.parent, body + sizeof(entry));
		break;
	case FUSE_NOTIFY_DELETE:
		memcpy(&gone, body, sizeof(gone));
		assert_int_equal(head->len, sizeof(*head) + sizeof(gone) + gone.namelen + 1);
		(void)buf_printf(ret, "delete %d %d '%s'\n", (int)gone.parent, (int)gone.child,
				 body + sizeof(gone));
		break;
	case FUSE_NOTIFY_INVAL_INODE:
		memcpy(&inode, body, sizeof(inode));
		assert_int_equal(head->len, sizeof(*head) + sizeof(inode));
		(void)buf_printf(ret, "%s %d\n", inode.off < 0 ? "attributes" : "content", (int)inode.ino);
		break;
	case SHARE_NOTIFY_TOUCH:
		memcpy(&touched, body, sizeof(touched));
		(void)buf_printf(ret, "touch %d '%s'\n", (int)touched.dir, body + sizeof(touched));
		break;
	default:
		assert_int_equal(head->error, SHARE_NOTIFY_DROP);
		(void)buf_printf(ret, "drop\n");
	}
}

/* Appends them, one a line, in the order in which they are sent. */
static inline void describe(struct slice notices, struct buf *ret)
{
	struct fuse_out_header head;

	while (notices.len > 0) {
		assert_true(notices.len >= sizeof(head));
		memcpy(&head, notices.ptr, sizeof(head));
		assert_in_range(head.len, sizeof(head), notices.len);
		assert_int_equal(head.unique, 0);
		describe_one(&head, notices.ptr + sizeof(head), ret);
		notices = slice_skip(notices, head.len);
	}
}
