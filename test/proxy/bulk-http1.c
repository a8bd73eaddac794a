/* The bodies of bulk over HTTP/1.1, with their lengths said first. */
#include "bulk.h"

#include "base/buf.h"

#include <stdio.h>

enum { READ_BYTES = 64 << 10, HEAD_MAX_BYTES = 4096 };

static void send_body(struct link *link, uint64_t count)
{
	for (uint64_t at = 0; at < count;) {
		struct slice piece = body_next(at, count - at);

		link_write(link, piece);
		at += piece.len;
	}
}

/* What has come behind the head is in `in`, and nothing comes behind the body. */
static void take_body(struct link *link, struct buf *in, uint64_t count)
{
	uint64_t at = 0;

	for (;;) {
		body_take(&at, buf_slice(in));
		buf_clear(in);
		if (at >= count)
			break;
		char *space = buf_space(in, READ_BYTES);
		size_t len = space ? link_read(link, space, READ_BYTES) : 0;

		if (len == 0)
			die("a body broke off");
		buf_grow(in, len);
	}
	if (at > count)
		die("a body is too long");
}

/* False at the end. The head is taken out of `in`. */
static bool take_head(struct link *link, struct buf *in, char ret[HEAD_MAX_BYTES])
{
	const char *end;
	size_t len;

	while (!(end = strstr(buf_text(in), "\r\n\r\n"))) {
		char *space = buf_space(in, HEAD_MAX_BYTES);

		len = space && in->len < HEAD_MAX_BYTES ? link_read(link, space, HEAD_MAX_BYTES) : 0;
		if (len == 0)
			return false;
		buf_grow(in, len);
	}
	len = (size_t)(end + 4 - buf_text(in));
	if (len >= HEAD_MAX_BYTES)
		die("a head is too long");
	memcpy(ret, buf_text(in), len);
	ret[len] = '\0';
	buf_drop(in, len);
	return true;
}

static void write_head(struct link *link, const char *first, const char *host, uint64_t length)
{
	auto_buf struct buf head = {0};

	if (buf_printf(&head, "%s\r\nHost: %s\r\nContent-Length: %llu\r\n\r\n", first, host,
		       (unsigned long long)length) < 0)
		die("no memory");
	link_write(link, buf_slice(&head));
}

void http1_ask(struct link *link, const struct task *task)
{
	auto_buf struct buf in = {0};
	char head[HEAD_MAX_BYTES], first[128];

	snprintf(first, sizeof(first), "PUT /%llu/%llu HTTP/1.1", (unsigned long long)task->up,
		 (unsigned long long)task->down);
	for (unsigned i = 0; i < task->count; i++) {
		write_head(link, first, task->authority, task->up);
		send_body(link, task->up);
		if (!take_head(link, &in, head) || strncmp(head, "HTTP/1.1 200", 12) != 0)
			die("no answer");
		take_body(link, &in, task->down);
	}
}

void http1_serve(struct link *link)
{
	auto_buf struct buf in = {0};
	char head[HEAD_MAX_BYTES];

	while (take_head(link, &in, head)) {
		uint64_t down = path_number(head, 2);

		take_body(link, &in, path_number(head, 1));
		write_head(link, "HTTP/1.1 200 OK", "here", down);
		send_body(link, down);
	}
}
