/* Whole heads: what HTTP itself needs of a session, and CONNECT does not. */
#include "wire/h2-internal.h"

#include <errno.h>
#include <strings.h>

enum { FIELDS_MAX = 256 };

/* ---- from the peer ---- */

static bool is_in_line(struct slice text)
{
	return !memchr(text.ptr, '\n', text.len) && !memchr(text.ptr, '\r', text.len) &&
	       !memchr(text.ptr, '\0', text.len);
}

int h2_keep_field(struct h2_stream *stream, struct slice name, struct slice value)
{
	size_t len = stream->head.len + name.len + value.len + strlen(": \n");

	if (len > stream->h2->head_bytes || !is_in_line(name) || !is_in_line(value) ||
	    buf_append(&stream->head, name) < 0 || buf_append(&stream->head, slice_text(": ")) < 0 ||
	    buf_append(&stream->head, value) < 0 || buf_append(&stream->head, slice_text("\n")) < 0)
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	return 0;
}

struct slice h2_head(const struct h2_stream *stream)
{
	return buf_slice(&stream->head);
}

bool h2_has_ended(const struct h2_stream *stream)
{
	return stream->has_ended;
}

/* ---- to the peer ---- */

/* A name may begin with ':', and holds none otherwise. */
static bool take_field(struct slice *text, nghttp2_nv *ret)
{
	const char *end = memchr(text->ptr, '\n', text->len);
	const char *colon = text->len > 1 ? memchr(text->ptr + 1, ':', text->len - 1) : NULL;

	if (!end || !colon || end - colon < 2 || colon[1] != ' ')
		return false;
	*ret = (nghttp2_nv){.name = (uint8_t *)(uintptr_t)text->ptr,
			    .namelen = (size_t)(colon - text->ptr),
			    .value = (uint8_t *)(uintptr_t)(colon + 2),
			    .valuelen = (size_t)(end - colon) - 2};
	*text = slice_skip(*text, (size_t)(end - text->ptr) + 1);
	return true;
}

static ssize_t take_fields(struct slice head, nghttp2_nv ret[FIELDS_MAX])
{
	size_t count = 0;

	while (head.len > 0 && count < FIELDS_MAX)
		if (!take_field(&head, &ret[count++]))
			return -EINVAL;
	return head.len > 0 ? -E2BIG : (ssize_t)count;
}

static void keep_secret(nghttp2_nv *fields, size_t count, const char *name)
{
	for (size_t i = 0; name && i < count; i++)
		if (fields[i].namelen == strlen(name) &&
		    strncasecmp((const char *)fields[i].name, name, fields[i].namelen) == 0)
			fields[i].flags |= NGHTTP2_NV_FLAG_NO_INDEX;
}

int h2_request_head(struct h2 *h2, struct slice head, const char *secret, bool has_body, void *data,
		    struct h2_stream **ret)
{
	nghttp2_nv fields[FIELDS_MAX];
	ssize_t count = take_fields(head, fields);

	if (count > 0)
		keep_secret(fields, (size_t)count, secret);
	return count < 0 ? (int)count : h2_submit(h2, fields, (size_t)count, has_body, data, ret);
}

int h2_respond_head(struct h2_stream *stream, struct slice head, bool has_body)
{
	nghttp2_data_provider provider = h2_queue_of(stream);
	nghttp2_nv fields[FIELDS_MAX];
	ssize_t count = take_fields(head, fields);

	if (count < 0)
		return (int)count;
	stream->ending = !has_body;
	return nghttp2_submit_response(stream->h2->session, stream->id, fields, (size_t)count,
				       has_body ? &provider : NULL) != 0
		       ? -ECONNREFUSED
		       : 0;
}

int h2_inform(struct h2_stream *stream, struct slice head)
{
	nghttp2_nv fields[FIELDS_MAX];
	ssize_t count = take_fields(head, fields);

	if (count < 0)
		return (int)count;
	return nghttp2_submit_headers(stream->h2->session, NGHTTP2_FLAG_NONE, stream->id, NULL, fields,
				      (size_t)count, NULL) != 0
		       ? -ECONNREFUSED
		       : 0;
}

int h2_trail(struct h2_stream *stream, struct slice head)
{
	int r = stream->ending || stream->closed ? -EPIPE : buf_append(&stream->trailers, head);

	if (r == 0)
		h2_end(stream);
	return r;
}

int h2_submit_trailers(struct h2_stream *stream)
{
	nghttp2_nv fields[FIELDS_MAX];
	ssize_t count = take_fields(buf_slice(&stream->trailers), fields);

	if (count < 0)
		return (int)count;
	return nghttp2_submit_trailer(stream->h2->session, stream->id, fields, (size_t)count) != 0 ? -ENOMEM
												   : 0;
}

bool h2_is_full(const struct h2 *h2)
{
	return h2->n_streams >=
	       nghttp2_session_get_remote_settings(h2->session, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
}

bool h2_is_refused(const struct h2_stream *stream)
{
	return stream->error == NGHTTP2_REFUSED_STREAM;
}

bool h2_is_leaving(const struct h2 *h2)
{
	return nghttp2_session_check_request_allowed(h2->session) == 0;
}
