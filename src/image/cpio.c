#include "image/cpio.h"

#include <errno.h>
#include <stdint.h>
#include <sys/stat.h>

enum { FIELD_ALIGN = 4, ARCHIVE_ALIGN = 512, NAME_MAX_BYTES = 4095 };

static int pad(struct buf *into, size_t align)
{
	static const char zeros[ARCHIVE_ALIGN];
	size_t over = into->len % align;

	return over == 0 ? 0 : buf_append(into, slice_of(zeros, align - over));
}

struct entry {
	const char *name;
	unsigned int mode, links, major, minor;
	struct slice content;
};

static int add(struct buf *into, const struct entry *entry)
{
	size_t name_len = strlen(entry->name) + 1;
	int r;

	if (name_len > NAME_MAX_BYTES || entry->content.len > UINT32_MAX)
		return -EFBIG;
	/* magic, inode, mode, uid, gid, links, mtime, size, device (2), special device (2), name, check */
	r = buf_printf(into, "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x", 0, entry->mode, 0,
		       0, entry->links, 0, (unsigned int)entry->content.len, 0, 0, entry->major, entry->minor,
		       (unsigned int)name_len, 0);
	if (r == 0)
		r = buf_append(into, slice_of(entry->name, name_len));
	if (r == 0)
		r = pad(into, FIELD_ALIGN);
	if (r == 0)
		r = buf_append(into, entry->content);
	return r == 0 ? pad(into, FIELD_ALIGN) : r;
}

int cpio_add_dir(struct buf *into, const char *name, mode_t mode)
{
	return add(into, &(struct entry){.name = name, .mode = S_IFDIR | mode, .links = 2});
}

int cpio_add_file(struct buf *into, const char *name, mode_t mode, struct slice content)
{
	return add(into,
		   &(struct entry){.name = name, .mode = S_IFREG | mode, .links = 1, .content = content});
}

int cpio_add_char_device(struct buf *into, const char *name, mode_t mode, unsigned int major,
			 unsigned int minor)
{
	return add(into,
		   &(struct entry){
			   .name = name, .mode = S_IFCHR | mode, .links = 1, .major = major, .minor = minor});
}

int cpio_end(struct buf *into)
{
	int r = add(into, &(struct entry){.name = "TRAILER!!!", .links = 1});

	return r == 0 ? pad(into, ARCHIVE_ALIGN) : r;
}
