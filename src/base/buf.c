#include "base/buf.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { PRINT_ROOM_BYTES = 64 };

void buf_init(struct buf *buf)
{
	*buf = (struct buf){0};
}

void buf_done(struct buf *buf)
{
	free(buf->data);
	buf_init(buf);
}

char *buf_space(struct buf *buf, size_t count)
{
	size_t room;
	char *data;

	if (count > SIZE_MAX / 4 || buf->len > SIZE_MAX / 4)
		return NULL;
	if (buf->start + buf->len + count + 1 <= buf->room)
		return buf->data + buf->start + buf->len;
	if (buf->start > 0) {
		memmove(buf->data, buf->data + buf->start, buf->len);
		buf->start = 0;
	}
	if (buf->len + count + 1 > buf->room) {
		room = (buf->len + count + 1) * 2;
		data = realloc(buf->data, room);
		if (!data)
			return NULL;
		buf->data = data;
		buf->room = room;
	}
	buf->data[buf->len] = '\0';
	return buf->data + buf->len;
}

void buf_grow(struct buf *buf, size_t count)
{
	buf->len += count;
	buf->data[buf->start + buf->len] = '\0';
}

int buf_append(struct buf *buf, struct slice bytes)
{
	char *space = buf_space(buf, bytes.len);

	if (!space)
		return -ENOMEM;
	if (bytes.len > 0)
		memcpy(space, bytes.ptr, bytes.len);
	buf_grow(buf, bytes.len);
	return 0;
}

int buf_printf(struct buf *buf, const char *format, ...)
{
	size_t room = PRINT_ROOM_BYTES;

	/* Most texts fit at the first try. */
	for (;;) {
		char *space = buf_space(buf, room);
		va_list args;
		int len;

		if (!space)
			return -ENOMEM;
		va_start(args, format);
		len = vsnprintf(space, room + 1, format, args);
		va_end(args);
		if (len < 0 || (size_t)len > room)
			space[0] = '\0';
		if (len < 0)
			return -EINVAL;
		if ((size_t)len <= room) {
			buf_grow(buf, (size_t)len);
			return 0;
		}
		room = (size_t)len;
	}
}

void buf_drop(struct buf *buf, size_t count)
{
	if (count >= buf->len) {
		buf_clear(buf);
		return;
	}
	buf->start += count;
	buf->len -= count;
}

void buf_clear(struct buf *buf)
{
	buf->start = buf->len = 0;
	if (buf->data)
		buf->data[0] = '\0';
}

void buf_cut(struct buf *buf, size_t len)
{
	if (len >= buf->len)
		return;
	buf->len = len;
	buf->data[buf->start + len] = '\0';
}

ssize_t buf_read_fd(struct buf *buf, int fd, size_t limit)
{
	char *space = buf_space(buf, limit);
	ssize_t count;

	if (!space)
		return -ENOMEM;
	do
		count = read(fd, space, limit);
	while (count < 0 && errno == EINTR);
	if (count < 0)
		return -errno;
	buf_grow(buf, (size_t)count);
	return count;
}

ssize_t buf_write_fd(struct buf *buf, int fd)
{
	struct slice bytes = buf_slice(buf);
	ssize_t count;

	do
		count = write(fd, bytes.ptr, bytes.len);
	while (count < 0 && errno == EINTR);
	if (count < 0)
		return -errno;
	buf_drop(buf, (size_t)count);
	return count;
}
