/*
 * How it works
 *   The client gets its handshake, with a certificate for whatever host it asked for; then its request is
 * read as far as is needed to answer it, and nothing of it goes anywhere. One that does not trust the
 * sandbox's authority sees that, and no more.
 */
#include "proxy/denial.h"

#include "proxy/http2-head.h"
#include "proxy/inside.h"
#include "proxy/peek.h"

#include <stdlib.h>

enum { REQUEST_MS = 15000, STATUS_FORBIDDEN = 403 };

static void ignore(struct tunnel *tunnel)
{
	(void)tunnel;
}

/* Without the query, like any record. */
static void remember(struct tunnel *tunnel, struct slice method, struct slice path)
{
	const char *query = memchr(path.ptr, '?', path.len);

	record_set(&tunnel->record.method, method);
	record_set(&tunnel->record.path, query ? slice_of(path.ptr, (size_t)(query - path.ptr)) : path);
}

/* ---- HTTP/1 ---- */

static void on_http1(struct tunnel *tunnel)
{
	struct http1_head head;
	size_t used;

	switch (http1_parse_request(buf_slice(&tunnel->in), &head, &used)) {
	case PARSED_MORE:
		if (tunnel->guest_ended)
			tunnel_close(tunnel);
		return;
	case PARSED_BAD:
		http_deny(tunnel, /* has_no_body= */ false);
		return;
	case PARSED_OK:
		remember(tunnel, head.method, head.target);
		http_deny(tunnel, slice_is(head.method, "HEAD"));
		return;
	}
}

static const struct tunnel_stage http1_stage = {
	.on_guest = on_http1, .on_room = ignore, .on_time = tunnel_close, .on_revoked = tunnel_close};

/* ---- HTTP/2, for clients that speak nothing else ---- */

struct http2 {
	struct tunnel *tunnel;
	struct h2 *h2;
	bool has_answered;
};

/* Whether it was HEAD, which has no body. */
static bool look_at(struct tunnel *tunnel, struct slice lines)
{
	auto_buf struct buf text = {0};
	struct http1_head head;
	size_t used;

	if (http2_read_request(lines, /* has_body= */ false, &text) < 0 ||
	    http1_parse_request(buf_slice(&text), &head, &used) != PARSED_OK)
		return false;
	if (tunnel->record.status == 0)
		remember(tunnel, head.method, head.target);
	return slice_is(head.method, "HEAD");
}

static int on_request(void *owner, struct h2_stream *stream, const char *method, const char *path)
{
	struct http2 *http2 = owner;
	struct tunnel *tunnel = http2->tunnel;
	bool is_for_head = look_at(tunnel, h2_head(stream));
	auto_buf struct buf text = {0}, head = {0};
	int r = denial_text(&text, &tunnel->record, tunnel->proxy->sandbox);

	(void)method, (void)path;
	r = r < 0 ? r : http2_write_answer(&head, STATUS_FORBIDDEN, text.len);
	r = r < 0 ? r : h2_respond_head(stream, buf_slice(&head), !is_for_head);
	if (r == 0 && !is_for_head)
		r = h2_send(stream, buf_slice(&text));
	h2_end(stream);
	tunnel->record.status = STATUS_FORBIDDEN;
	http2->has_answered = true;
	return r;
}

static void drop(struct h2_stream *stream, struct slice data)
{
	h2_consume(stream, data.len);
}

static void on_stream(struct h2_stream *stream)
{
	(void)stream;
}

static void on_stream_close(struct h2_stream *stream, uint32_t error)
{
	(void)stream, (void)error;
}

static void http2_done(struct tunnel *tunnel)
{
	struct http2 *http2 = tunnel->data;

	h2_free(http2->h2);
	free(http2);
	tunnel->data = NULL;
}

static void on_http2(struct tunnel *tunnel)
{
	struct http2 *http2 = tunnel->data;
	auto_buf struct buf out = {0};
	int r = h2_feed(http2->h2, buf_slice(&tunnel->in));
	size_t limit = tunnel_room(tunnel);

	tunnel_take(tunnel, tunnel->in.len);
	r = r < 0 ? r : h2_drain(http2->h2, &out, limit);
	r = r < 0 ? r : tunnel_send(tunnel, buf_slice(&out));
	if (r < 0)
		tunnel_close(tunnel);
	else if (tunnel->guest_ended || (http2->has_answered && h2_queued_total(http2->h2) == 0))
		tunnel_leave(tunnel, slice_of("", 0));
}

static const struct tunnel_stage http2_stage = {.on_guest = on_http2,
						.on_room = on_http2,
						.on_time = tunnel_close,
						.on_revoked = tunnel_close,
						.done = http2_done};

static void start_http2(struct tunnel *tunnel)
{
	static const struct h2_ops ops = {
		.on_request = on_request, .on_data = drop, .on_end = on_stream, .on_close = on_stream_close};
	static const struct h2_limits limits = {.streams = 16,
						.session_window_bytes = 1 << 20,
						.resets = 64,
						.resets_per_second = 16,
						.head_bytes = HTTP1_HEAD_MAX_BYTES};
	struct http2 *http2 = calloc(1, sizeof(*http2));

	if (!http2 || h2_new_server_limited(&ops, http2, &limits, &http2->h2) < 0) {
		free(http2);
		tunnel_close(tunnel);
		return;
	}
	http2->tunnel = tunnel;
	tunnel_set_stage(tunnel, &http2_stage, http2);
	on_http2(tunnel);
}

/* ---- the handshake ---- */

static void on_open(struct tunnel *tunnel)
{
	tunnel_limit(tunnel, REQUEST_MS);
	if (tls_protocol(tunnel->tls) == TLS_HTTP2) {
		start_http2(tunnel);
		return;
	}
	tunnel_set_stage(tunnel, &http1_stage, NULL);
	on_http1(tunnel);
}

void tls_deny(struct tunnel *tunnel)
{
	struct host host = tunnel->name, named;
	struct peek hello;

	if (peek(buf_slice(&tunnel->in), &hello) != PARSED_OK || hello.kind != PEEK_TLS) {
		tunnel_close(tunnel);
		return;
	}
	if (host_parse(slice_text(hello.name), &named) == 0)
		host = named;
	inside_open(tunnel, &host, TLS_HTTP1 | TLS_HTTP2, /* prefers_http1= */ true, on_open);
}
