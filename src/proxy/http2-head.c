#include "proxy/http2-head.h"

#include "proxy/trailers.h"

#include <ctype.h>
#include <errno.h>

/* The fields that begin with ':'; empty where they are missing. */
struct pseudo {
	struct slice method, scheme, authority, path, status;
};

static bool take_line(struct slice *head, struct slice *ret_name, struct slice *ret_value)
{
	const char *end = memchr(head->ptr, '\n', head->len);
	const char *colon = head->len > 1 ? memchr(head->ptr + 1, ':', head->len - 1) : NULL;

	if (!end || !colon || end - colon < 2)
		return false;
	*ret_name = slice_of(head->ptr, (size_t)(colon - head->ptr));
	*ret_value = slice_of(colon + 2, (size_t)(end - colon) - 2);
	*head = slice_skip(*head, (size_t)(end - head->ptr) + 1);
	return true;
}

static bool set_pseudo(struct pseudo *pseudo, struct slice name, struct slice value)
{
	const struct {
		const char *name;
		struct slice *slot;
	} slots[] = {
		{":method", &pseudo->method},       {":scheme", &pseudo->scheme}, {":path", &pseudo->path},
		{":authority", &pseudo->authority}, {":status", &pseudo->status},
	};

	for (size_t i = 0; i < array_len(slots); i++) {
		if (!slice_is(name, slots[i].name) || slots[i].slot->len > 0)
			continue;
		*slots[i].slot = value;
		return value.len > 0;
	}
	return false;
}

/* Takes them off the front. */
static bool take_pseudo(struct slice *head, struct pseudo *ret)
{
	struct slice name, value;

	*ret = (struct pseudo){.method = {0}};
	while (head->len > 0 && head->ptr[0] == ':')
		if (!take_line(head, &name, &value) || !set_pseudo(ret, name, value))
			return false;
	return true;
}

/* RFC 9113, 8.2.2: what says something of one connection makes a message malformed. */
static bool is_forbidden(struct slice name)
{
	static const char *const names[] = {"connection", "keep-alive", "proxy-connection",
					    "transfer-encoding", "upgrade"};

	for (size_t i = 0; i < array_len(names); i++)
		if (slice_is(name, names[i]))
			return true;
	return name.len == 0 || name.ptr[0] == ':';
}

static int append_field(struct buf *into, struct slice name, struct slice value, const char *end)
{
	int r = buf_append(into, name);

	r = r < 0 ? r : buf_append(into, slice_text(": "));
	r = r < 0 ? r : buf_append(into, value);
	return r < 0 ? r : buf_append(into, slice_text(end));
}

/* ---- as HTTP/1 ---- */

struct fields {
	struct slice host;
	struct buf cookie; /* one field of it all (RFC 9113, 8.2.3) */
	bool has_length;
};

static int take_field(struct fields *fields, struct slice name, struct slice value, struct buf *into)
{
	int r = 0;

	if (slice_is(name, "host")) {
		r = fields->host.ptr ? -EINVAL : 0;
		fields->host = value;
		return r;
	}
	if (slice_is(name, "cookie")) {
		if (fields->cookie.len > 0)
			r = buf_append(&fields->cookie, slice_text("; "));
		return r < 0 ? r : buf_append(&fields->cookie, value);
	}
	fields->has_length |= slice_is(name, "content-length");
	return append_field(into, name, value, "\r\n");
}

static int take_fields(struct fields *fields, struct slice head, struct buf *into)
{
	struct slice name, value;
	int r = 0;

	while (r == 0 && head.len > 0) {
		if (!take_line(&head, &name, &value) || is_forbidden(name))
			return -EINVAL;
		r = take_field(fields, name, value, into);
	}
	return r;
}

static int end_head(struct fields *fields, bool has_body, struct buf *into)
{
	int r = 0;

	if (fields->cookie.len > 0)
		r = append_field(into, slice_text("cookie"), buf_slice(&fields->cookie), "\r\n");
	if (r == 0 && has_body && !fields->has_length)
		r = buf_append(into, slice_text("transfer-encoding: chunked\r\n"));
	return r < 0 ? r : buf_append(into, slice_text("\r\n"));
}

static bool is_same(struct slice a, struct slice b)
{
	return a.len == b.len && memcmp(a.ptr, b.ptr, a.len) == 0;
}

int http2_read_request(struct slice head, bool has_body, struct buf *into)
{
	struct fields fields = {.host = {0}};
	struct pseudo pseudo;
	int r = take_pseudo(&head, &pseudo) && slice_is(pseudo.scheme, "https") && pseudo.method.len > 0 &&
				pseudo.path.len > 0 && pseudo.status.len == 0
			? 0
			: -EINVAL;

	r = r < 0 ? r : buf_append(into, pseudo.method);
	r = r < 0 ? r : buf_append(into, slice_text(" "));
	r = r < 0 ? r : buf_append(into, pseudo.path);
	r = r < 0 ? r : buf_append(into, slice_text(" HTTP/1.1\r\n"));
	r = r < 0 ? r : take_fields(&fields, head, into);
	if (r == 0 && pseudo.authority.len > 0 && fields.host.ptr && !is_same(fields.host, pseudo.authority))
		r = -EINVAL;
	if (r == 0 && pseudo.authority.len > 0)
		fields.host = pseudo.authority;
	if (r == 0 && fields.host.ptr)
		r = append_field(into, slice_text("host"), fields.host, "\r\n");
	r = r < 0 ? r : end_head(&fields, has_body, into);
	buf_done(&fields.cookie);
	return r;
}

static unsigned number(struct slice status)
{
	unsigned number = 0;

	for (size_t i = 0; i < status.len; i++)
		number = number * 10 + (unsigned)(status.ptr[i] - '0');
	return number;
}

/* Without a body and a length HTTP/1 would wait for the connection's end. */
static bool needs_length(struct slice status, bool is_for_head)
{
	return !is_for_head && status.ptr[0] != '1' && !slice_is(status, "204") && !slice_is(status, "304");
}

int http2_read_response(struct slice head, bool has_body, bool is_for_head, struct buf *into)
{
	struct fields fields = {.host = {0}};
	struct pseudo pseudo;
	int r = take_pseudo(&head, &pseudo) && pseudo.status.len == 3 && pseudo.method.len == 0 ? 0 : -EINVAL;

	r = r < 0 ? r : buf_append(into, slice_text("HTTP/1.1 "));
	r = r < 0 ? r : buf_append(into, pseudo.status);
	r = r < 0 ? r : buf_printf(into, " %s\r\n", http1_reason(number(pseudo.status)));
	r = r < 0 ? r : take_fields(&fields, head, into);
	if (r == 0 && !has_body && !fields.has_length && needs_length(pseudo.status, is_for_head))
		r = buf_append(into, slice_text("content-length: 0\r\n"));
	r = r < 0 ? r : end_head(&fields, has_body, into);
	buf_done(&fields.cookie);
	return r;
}

/* ---- as HTTP/2 ---- */

static int append_lower(struct buf *into, struct slice name)
{
	char *space = buf_space(into, name.len);

	if (!space)
		return -ENOMEM;
	for (size_t i = 0; i < name.len; i++)
		space[i] = (char)tolower((unsigned char)name.ptr[i]);
	buf_grow(into, name.len);
	return 0;
}

static int append_fields(struct buf *into, const struct http1_head *head)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < head->n_fields; i++) {
		if (http1_stays_behind(head, head->fields[i].name))
			continue;
		r = append_lower(into, head->fields[i].name);
		r = r < 0 ? r : append_field(into, slice_text(""), head->fields[i].value, "\n");
	}
	return r;
}

static int append_length(struct buf *into, const struct http1_shape *shape)
{
	if (!shape->framing.has_length || shape->framing.body == HTTP1_CHUNKED)
		return 0;
	return buf_printf(into, "content-length: %llu\n", (unsigned long long)shape->framing.length);
}

int http2_write_request(struct buf *into, const struct http1_head *head, struct slice path, struct slice host,
			const struct http1_shape *shape, bool wants_trailers)
{
	int r = append_field(into, slice_text(":method"), head->method, "\n");

	r = r < 0 ? r : buf_append(into, slice_text(":scheme: https\n"));
	r = r < 0 ? r : append_field(into, slice_text(":authority"), host, "\n");
	r = r < 0 ? r : append_field(into, slice_text(":path"), path, "\n");
	r = r < 0 ? r : append_fields(into, head);
	if (r == 0 && wants_trailers)
		r = buf_append(into, slice_text("te: trailers\n"));
	return r < 0 ? r : append_length(into, shape);
}

int http2_write_response(struct buf *into, const struct http1_head *head, const struct http1_shape *shape)
{
	int r = buf_printf(into, ":status: %u\n", head->status);

	r = r < 0 ? r : append_fields(into, head);
	return r < 0 ? r : append_length(into, shape);
}

int http2_read_trailers(struct slice head, struct buf *into)
{
	struct http1_field field;
	int r = 0;

	/* What is beyond the number that HTTP/1 may have is passed over. */
	for (size_t count = 0; r == 0 && head.len > 0 && count < HTTP1_FIELDS_MAX; count++)
		r = take_line(&head, &field.name, &field.value) ? trailers_add(into, &field) : -EINVAL;
	return r;
}

int http2_write_answer(struct buf *into, unsigned status, size_t len)
{
	return buf_printf(into,
			  ":status: %u\ncontent-type: text/plain; charset=utf-8\ncontent-length: %zu\n"
			  "cache-control: no-store\n",
			  status, len);
}
