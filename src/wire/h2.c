/*
 * A thin owner around nghttp2: streams with an outgoing buffer each, windows given back by hand. Limits
 * against a hostile peer (header list size, settings, concurrent streams, rapid resets) are nghttp2's own
 * options set here.
 */
#include "wire/h2-internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	STATUS_ROOM_BYTES = 16,
	HEADER_LIST_MAX_BYTES = 8192,
	FRAME_HEAD_BYTES = 9,
	QUEUE_KEPT_BYTES = 4096, /* what an empty queue may go on holding */
};

/* For sessions with the host as the client, whose commands may end early as often as they like. */
static const struct h2_limits trusting = {.streams = H2_STREAMS_MAX,
					  .session_window_bytes = H2_SESSION_WINDOW_BYTES,
					  .resets = 1 << 20,
					  .resets_per_second = 1 << 20};

void *h2_data(const struct h2_stream *stream)
{
	return stream->data;
}

void h2_set_data(struct h2_stream *stream, void *data)
{
	stream->data = data;
}

struct h2 *h2_of(const struct h2_stream *stream)
{
	return stream->h2;
}

static struct h2_stream *stream_new(struct h2 *h2, int32_t id)
{
	struct h2_stream *stream = calloc(1, sizeof(*stream));

	if (!stream)
		return NULL;
	*stream = (struct h2_stream){.h2 = h2,
				     .id = id,
				     .window = H2_STREAM_WINDOW_BYTES,
				     .next = h2->streams,
				     .link = &h2->streams};
	if (stream->next)
		stream->next->link = &stream->next;
	h2->streams = stream;
	h2->n_streams++;
	return stream;
}

static void stream_free(struct h2_stream *stream)
{
	*stream->link = stream->next;
	if (stream->next)
		stream->next->link = stream->link;
	stream->h2->queued_total -= stream->queue.len;
	stream->h2->n_streams--;
	buf_done(&stream->queue);
	buf_done(&stream->head);
	buf_done(&stream->trailers);
	free(stream);
}

static struct h2_stream *find(nghttp2_session *session, int32_t id)
{
	return nghttp2_session_get_stream_user_data(session, id);
}

/* Only says how much there is: send_queue() follows at once and moves it without another copy. */
/* NOLINTNEXTLINE(readability-non-const-parameter): the library's prototype */
static ssize_t read_queue(nghttp2_session *session, int32_t id, uint8_t *into, size_t room, uint32_t *flags,
			  nghttp2_data_source *source, void *user_data)
{
	struct h2_stream *stream = source->ptr;
	size_t count = stream->queue.len < room ? stream->queue.len : room;

	(void)session, (void)id, (void)into, (void)user_data;
	if (count == 0 && !stream->ending) {
		stream->deferred = true;
		return NGHTTP2_ERR_DEFERRED;
	}
	*flags |= NGHTTP2_DATA_FLAG_NO_COPY;
	if (stream->queue.len == count && stream->ending)
		*flags |= NGHTTP2_DATA_FLAG_EOF;
	if (stream->queue.len == count && stream->ending && stream->trailers.len > 0) {
		*flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
		if (h2_submit_trailers(stream) < 0)
			return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	}
	return (ssize_t)count;
}

static void queue_taken(struct h2_stream *stream, size_t count)
{
	buf_drop(&stream->queue, count);
	stream->h2->queued_total -= count;
	if (stream->queue.len > 0 || count == 0)
		return;
	if (stream->queue.room > QUEUE_KEPT_BYTES)
		buf_done(&stream->queue);
	if (!stream->ending && stream->h2->ops->on_drain)
		stream->h2->ops->on_drain(stream);
}

static int send_queue(nghttp2_session *session, nghttp2_frame *frame, const uint8_t *head, size_t len,
		      nghttp2_data_source *source, void *user_data)
{
	struct h2_stream *stream = source->ptr;
	struct h2 *h2 = user_data;

	(void)session, (void)frame;
	if (h2->append(h2->into, slice_of(head, FRAME_HEAD_BYTES)) < 0 ||
	    h2->append(h2->into, slice_of(buf_text(&stream->queue), len)) < 0)
		return NGHTTP2_ERR_CALLBACK_FAILURE;
	queue_taken(stream, len);
	/* Without it the library would send all that there is, of all streams. */
	return h2->into->len >= h2->limit ? NGHTTP2_ERR_PAUSE : 0;
}

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *user_data)
{
	struct h2 *h2 = user_data;
	struct h2_stream *stream;

	if (!h2->is_server || frame->headers.cat != NGHTTP2_HCAT_REQUEST)
		return 0;
	stream = stream_new(h2, frame->hd.stream_id);
	if (!stream)
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	nghttp2_session_set_stream_user_data(session, frame->hd.stream_id, stream);
	return 0;
}

static int keep_value(char *into, size_t room, const uint8_t *value, size_t len)
{
	if (len >= room || memchr(value, '\0', len))
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	memcpy(into, value, len);
	into[len] = '\0';
	return 0;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
		     size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags, void *user_data)
{
	struct h2_stream *stream = find(session, frame->hd.stream_id);
	struct slice header = slice_of(name, name_len);
	char status[4] = "";

	(void)flags, (void)user_data;
	if (!stream)
		return 0;
	if (stream->h2->head_bytes > 0 && !slice_is(header, ":status"))
		return h2_keep_field(stream, header, slice_of(value, value_len));
	if (slice_is(header, ":method"))
		return keep_value(stream->method, sizeof(stream->method), value, value_len);
	if (slice_is(header, ":path"))
		return keep_value(stream->path, sizeof(stream->path), value, value_len);
	if (slice_is(header, ":authority"))
		return keep_value(stream->authority, sizeof(stream->authority), value, value_len);
	if (!slice_is(header, ":status"))
		return 0;
	if (keep_value(status, sizeof(status), value, value_len) != 0)
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	stream->status = atoi(status);
	return stream->h2->head_bytes > 0 ? h2_keep_field(stream, header, slice_of(value, value_len)) : 0;
}

static void reset(const struct h2_stream *stream, uint32_t error)
{
	nghttp2_submit_rst_stream(stream->h2->session, NGHTTP2_FLAG_NONE, stream->id, error);
}

/* Trailers are kept until the end is told, which comes with them. */
static void headers_done(struct h2 *h2, struct h2_stream *stream, const nghttp2_frame *frame)
{
	bool is_request = h2->is_server && frame->headers.cat == NGHTTP2_HCAT_REQUEST;
	bool is_response = !h2->is_server && !stream->has_answer;

	if (is_request && h2->ops->on_request(h2->owner, stream, stream->method, stream->path) != 0)
		reset(stream, NGHTTP2_REFUSED_STREAM);
	if (is_response && stream->status < 200 && h2->ops->on_inform)
		h2->ops->on_inform(stream);
	if (is_response && stream->status >= 200) {
		stream->has_answer = true;
		h2->ops->on_response(stream, stream->status);
	}
	if (is_request || is_response)
		buf_done(&stream->head);
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user_data)
{
	struct h2 *h2 = user_data;
	struct h2_stream *stream;

	if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA)
		return 0;
	stream = find(session, frame->hd.stream_id);
	if (stream && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
		stream->has_ended = true;
	if (stream && frame->hd.type == NGHTTP2_HEADERS)
		headers_done(h2, stream, frame);
	if (stream && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM)) {
		h2->ops->on_end(stream);
		buf_done(&stream->head);
	}
	return 0;
}

static int on_data_chunk(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *bytes,
			 size_t len, void *user_data)
{
	struct h2 *h2 = user_data;
	struct h2_stream *stream = find(session, id);

	(void)flags;
	if (!stream) {
		nghttp2_session_consume(session, id, len);
		return 0;
	}
	stream->unconsumed += len;
	if (h2->is_session_window_free)
		nghttp2_session_consume_connection(session, len);
	h2->ops->on_data(stream, slice_of(bytes, len));
	return 0;
}

/* What was never read on this stream must not be missing from the others' window. */
static void stream_close(struct h2_stream *stream, uint32_t error)
{
	struct h2 *h2 = stream->h2;

	stream->closed = true;
	stream->error = error;
	nghttp2_session_set_stream_user_data(h2->session, stream->id, NULL);
	if (!h2->is_session_window_free)
		nghttp2_session_consume_connection(h2->session, stream->unconsumed);
	h2->ops->on_close(stream, error);
	stream_free(stream);
}

static int on_stream_close(nghttp2_session *session, int32_t id, uint32_t error, void *user_data)
{
	struct h2_stream *stream = find(session, id);

	(void)user_data;
	if (stream)
		stream_close(stream, error);
	return 0;
}

static int make_callbacks(nghttp2_session_callbacks **ret)
{
	if (nghttp2_session_callbacks_new(ret) != 0)
		return -ENOMEM;
	nghttp2_session_callbacks_set_on_begin_headers_callback(*ret, on_begin_headers);
	nghttp2_session_callbacks_set_on_header_callback(*ret, on_header);
	nghttp2_session_callbacks_set_on_frame_recv_callback(*ret, on_frame);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(*ret, on_data_chunk);
	nghttp2_session_callbacks_set_on_stream_close_callback(*ret, on_stream_close);
	nghttp2_session_callbacks_set_send_data_callback(*ret, send_queue);
	return 0;
}

static int make_options(const struct h2_limits *limits, nghttp2_option **ret)
{
	if (nghttp2_option_new(ret) != 0)
		return -ENOMEM;
	nghttp2_option_set_no_auto_window_update(*ret, 1);
	nghttp2_option_set_max_settings(*ret, 32);
	nghttp2_option_set_max_outbound_ack(*ret, 256);
	nghttp2_option_set_no_closed_streams(*ret, 1);
	nghttp2_option_set_stream_reset_rate_limit(*ret, limits->resets, limits->resets_per_second);
	return 0;
}

static int introduce(struct h2 *h2, const struct h2_limits *limits)
{
	nghttp2_settings_entry settings[] = {
		{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, limits->streams},
		{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, H2_STREAM_WINDOW_BYTES},
		{NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE,
		 limits->head_bytes > 0 ? limits->head_bytes : HEADER_LIST_MAX_BYTES},
		{NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
	};
	size_t count = h2->is_server ? array_len(settings) - 1 : array_len(settings);

	if (nghttp2_submit_settings(h2->session, NGHTTP2_FLAG_NONE, settings, count) != 0)
		return -ENOMEM;
	if (nghttp2_session_set_local_window_size(h2->session, NGHTTP2_FLAG_NONE, 0,
						  (int32_t)limits->session_window_bytes) != 0)
		return -ENOMEM;
	return 0;
}

static int h2_new(const struct h2_ops *ops, void *owner, bool is_server, const struct h2_limits *limits,
		  struct h2 **ret)
{
	nghttp2_session_callbacks *callbacks = NULL;
	nghttp2_option *options = NULL;
	struct h2 *h2 = calloc(1, sizeof(*h2));
	int r = h2 ? 0 : -ENOMEM;

	if (r == 0) {
		*h2 = (struct h2){.ops = ops,
				  .owner = owner,
				  .is_server = is_server,
				  .is_session_window_free = limits->is_session_window_free,
				  .head_bytes = limits->head_bytes};
		r = make_callbacks(&callbacks);
	}
	if (r == 0)
		r = make_options(limits, &options);
	if (r == 0 && is_server && nghttp2_session_server_new2(&h2->session, callbacks, h2, options) != 0)
		r = -ENOMEM;
	if (r == 0 && !is_server && nghttp2_session_client_new2(&h2->session, callbacks, h2, options) != 0)
		r = -ENOMEM;
	nghttp2_session_callbacks_del(callbacks);
	nghttp2_option_del(options);
	if (r == 0)
		r = introduce(h2, limits);
	if (r < 0) {
		h2_free(h2);
		return r;
	}
	*ret = h2;
	return 0;
}

int h2_new_client(const struct h2_ops *ops, void *owner, struct h2 **ret)
{
	return h2_new(ops, owner, false, &trusting, ret);
}

int h2_new_server(const struct h2_ops *ops, void *owner, struct h2 **ret)
{
	return h2_new(ops, owner, true, &trusting, ret);
}

int h2_new_client_limited(const struct h2_ops *ops, void *owner, const struct h2_limits *limits,
			  struct h2 **ret)
{
	return h2_new(ops, owner, false, limits, ret);
}

int h2_new_server_limited(const struct h2_ops *ops, void *owner, const struct h2_limits *limits,
			  struct h2 **ret)
{
	return h2_new(ops, owner, true, limits, ret);
}

void h2_free(struct h2 *h2)
{
	if (!h2)
		return;
	while (h2->streams)
		stream_close(h2->streams, NGHTTP2_CANCEL);
	nghttp2_session_del(h2->session);
	free(h2);
}

bool h2_is_over(const struct h2 *h2)
{
	return !nghttp2_session_want_read(h2->session) && !nghttp2_session_want_write(h2->session);
}

int h2_feed(struct h2 *h2, struct slice bytes)
{
	ssize_t used = nghttp2_session_mem_recv(h2->session, (const uint8_t *)bytes.ptr, bytes.len);

	if (used == NGHTTP2_ERR_NOMEM)
		return -ENOMEM;
	if (used < 0 || (size_t)used != bytes.len)
		return -EPROTO;
	return h2_is_over(h2) ? -EPROTO : 0;
}

int h2_drain_as(struct h2 *h2, struct buf *into, size_t limit,
		int (*append)(struct buf *into, struct slice bytes))
{
	h2->into = into;
	h2->limit = limit;
	h2->append = append;
	while (into->len < limit) {
		const uint8_t *bytes;
		ssize_t len = nghttp2_session_mem_send(h2->session, &bytes);
		int r;

		if (len < 0)
			return len == NGHTTP2_ERR_NOMEM ? -ENOMEM : -EPROTO;
		if (len == 0)
			return 0;
		r = append(into, slice_of(bytes, (size_t)len));
		if (r < 0)
			return r;
	}
	return 0;
}

int h2_drain(struct h2 *h2, struct buf *into, size_t limit)
{
	return h2_drain_as(h2, into, limit, buf_append);
}

static nghttp2_nv header(const char *name, const char *value)
{
	return (nghttp2_nv){.name = (uint8_t *)(uintptr_t)name,
			    .value = (uint8_t *)(uintptr_t)value,
			    .namelen = strlen(name),
			    .valuelen = strlen(value)};
}

nghttp2_data_provider h2_queue_of(struct h2_stream *stream)
{
	return (nghttp2_data_provider){.source = {.ptr = stream}, .read_callback = read_queue};
}

int h2_submit(struct h2 *h2, const nghttp2_nv *headers, size_t count, bool has_body, void *data,
	      struct h2_stream **ret)
{
	struct h2_stream *stream = stream_new(h2, 0);
	nghttp2_data_provider provider;

	if (!stream)
		return -ENOMEM;
	provider = h2_queue_of(stream);
	stream->data = data;
	stream->ending = !has_body;
	stream->id = nghttp2_submit_request(h2->session, NULL, headers, count, has_body ? &provider : NULL,
					    stream);
	if (stream->id < 0) {
		stream_free(stream);
		return -ECONNREFUSED;
	}
	*ret = stream;
	return 0;
}

int h2_request(struct h2 *h2, const char *method, const char *path, void *data, struct h2_stream **ret)
{
	const nghttp2_nv headers[] = {header(":method", method), header(":scheme", "http"),
				      header(":authority", "guest"), header(":path", path)};

	return h2_submit(h2, headers, array_len(headers), true, data, ret);
}

int h2_connect(struct h2 *h2, const char *authority, void *data, struct h2_stream **ret)
{
	const nghttp2_nv headers[] = {header(":method", "CONNECT"), header(":authority", authority)};

	return h2_submit(h2, headers, array_len(headers), true, data, ret);
}

const char *h2_authority(const struct h2_stream *stream)
{
	return stream->authority;
}

int h2_respond(struct h2_stream *stream, int status)
{
	nghttp2_data_provider provider = h2_queue_of(stream);
	char text[STATUS_ROOM_BYTES];
	nghttp2_nv headers[1];

	snprintf(text, sizeof(text), "%d", status);
	headers[0] = header(":status", text);
	if (nghttp2_submit_response(stream->h2->session, stream->id, headers, 1, &provider) != 0)
		return -ECONNREFUSED;
	return 0;
}

static void wake(struct h2_stream *stream)
{
	if (!stream->deferred)
		return;
	stream->deferred = false;
	nghttp2_session_resume_data(stream->h2->session, stream->id);
}

int h2_send(struct h2_stream *stream, struct slice bytes)
{
	int r;

	if (stream->ending || stream->closed)
		return -EPIPE;
	r = buf_append(&stream->queue, bytes);
	if (r < 0)
		return r;
	stream->h2->queued_total += bytes.len;
	wake(stream);
	return 0;
}

char *h2_space(struct h2_stream *stream, size_t count)
{
	return stream->ending || stream->closed ? NULL : buf_space(&stream->queue, count);
}

void h2_fill(struct h2_stream *stream, size_t count)
{
	if (count == 0)
		return;
	buf_grow(&stream->queue, count);
	stream->h2->queued_total += count;
	wake(stream);
}

void h2_widen_to(struct h2 *h2, size_t bytes)
{
	h2->stream_window_max = bytes;
}

unsigned h2_count(const struct h2 *h2)
{
	return h2->n_streams;
}

size_t h2_queued_total(const struct h2 *h2)
{
	return h2->queued_total;
}

size_t h2_queued(const struct h2_stream *stream)
{
	return stream->queue.len;
}

void h2_end(struct h2_stream *stream)
{
	stream->ending = true;
	wake(stream);
}

/* A reader with nothing left to read waits for the peer alone, whom a wider window lets send more at a time.
 */
static void widen(struct h2_stream *stream, size_t count)
{
	stream->n_consumed += count;
	if (stream->unconsumed > 0 || stream->n_consumed < stream->window ||
	    stream->window * 2 > stream->h2->stream_window_max)
		return;
	stream->n_consumed = 0;
	stream->window *= 2;
	(void)nghttp2_session_set_local_window_size(stream->h2->session, NGHTTP2_FLAG_NONE, stream->id,
						    (int32_t)stream->window);
}

void h2_consume(struct h2_stream *stream, size_t count)
{
	if (count > stream->unconsumed)
		count = stream->unconsumed;
	stream->unconsumed -= count;
	if (stream->h2->is_session_window_free)
		nghttp2_session_consume_stream(stream->h2->session, stream->id, count);
	else
		nghttp2_session_consume(stream->h2->session, stream->id, count);
	widen(stream, count);
}

void h2_reset(struct h2_stream *stream)
{
	reset(stream, NGHTTP2_CANCEL);
}
