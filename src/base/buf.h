/*
 * Growable bytes, read from the front. Always followed by a NUL that does not count, so that text in it
 * can be used as a string. Appending fails with -ENOMEM and changes nothing then.
 */
#pragma once

#include "base/mem.h"
#include "base/slice.h"

#include <sys/types.h>

struct buf {
	char *data; /* owned; NULL while nothing was ever appended */
	size_t start, len, room;
};

void buf_init(struct buf *buf);
void buf_done(struct buf *buf);

static inline struct slice buf_slice(const struct buf *buf)
{
	return (struct slice){buf->data ? buf->data + buf->start : "", buf->len};
}

/* The content as a string; valid until the next append. */
static inline const char *buf_text(const struct buf *buf)
{
	return buf->data ? buf->data + buf->start : "";
}

int buf_append(struct buf *buf, struct slice bytes);
int buf_printf(struct buf *buf, const char *format, ...) printf_like(2, 3);

/* Makes at least count writable bytes after the content and returns them, or NULL. */
char *buf_space(struct buf *buf, size_t count);

/* Counts bytes written into buf_space() as content. */
void buf_grow(struct buf *buf, size_t count);

/* Drops count bytes, at most all, from the front. */
void buf_drop(struct buf *buf, size_t count);
void buf_clear(struct buf *buf);

/* Keeps the first len bytes, at most all. */
void buf_cut(struct buf *buf, size_t len);

/* Reads once, up to limit bytes. Returns the count, 0 at the end of file, or a negative errno. */
ssize_t buf_read_fd(struct buf *buf, int fd, size_t limit);

/* Writes once what the descriptor takes and drops it from the front. Returns the count or a negative errno.
 */
ssize_t buf_write_fd(struct buf *buf, int fd);

#define auto_buf __attribute__((cleanup(buf_done)))
