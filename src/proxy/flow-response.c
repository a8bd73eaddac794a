#include "proxy/flow-parts.h"

#include "proxy/http1-write.h"
#include "proxy/http2-head.h"
#include "proxy/relay.h"
#include "proxy/trailers.h"

#include <errno.h>

enum {
	READ_BYTES = 64 << 10,
	READ_LEAST_BYTES = 4 << 10,
	INTERIM_MAX = 16, /* answers before the answer */
	STATUS_SWITCHING = 101,
	STATUS_BAD_GATEWAY = 502,
};

/* ---- heads ---- */

static int send_head(struct flow *flow, const struct http1_head *head, const struct http1_shape *shape)
{
	auto_buf struct buf out = {0};
	int r;

	flow->has_answered = true;
	if (flow->is_stream) {
		r = http2_write_response(&out, head, shape);
		/* A head that is all there is says so itself: gRPC tells failures that way. */
		return r < 0 ? r : tunnel_respond(flow->tunnel, buf_slice(&out), !flow->response.is_done);
	}
	r = http1_write_response(&out, head, shape);
	return r < 0 ? r : tunnel_send(flow->tunnel, buf_slice(&out));
}

/* Both sides have agreed: from here on it is not HTTP. */
static void switch_protocol(struct flow *flow, const struct http1_head *head, size_t used)
{
	const struct http1_shape shape = {.is_upgrade = true};
	struct tunnel *tunnel = flow->tunnel;
	struct outlet *outlet = flow->outlet;

	if (!flow->wants_upgrade || !http1_has_token(head, "upgrade", "websocket")) {
		flow_fail(flow, STATUS_BAD_GATEWAY,
			  "the server switched to a protocol that nobody asked for");
		return;
	}
	tunnel->record.status = head->status;
	if (send_head(flow, head, &shape) < 0 ||
	    tunnel_send(tunnel, slice_skip(buf_slice(&flow->back), used)) < 0) {
		tunnel_close(tunnel);
		return;
	}
	flow->outlet = NULL;
	tunnel->stage->done(tunnel);
	relay_go_on(tunnel, outlet);
}

/* 100 and its like come before the answer, and mean nothing to a client of HTTP/1.0. */
static int pass_interim(struct flow *flow, const struct http1_head *head)
{
	const struct http1_shape shape = {.is_close = false};
	auto_buf struct buf out = {0};
	int r = 0;

	if (++flow->n_interim > INTERIM_MAX)
		return -EPROTO;
	if (flow->is_stream) {
		r = http2_write_response(&out, head, &shape);
		return r < 0 ? r : h2_inform(flow->tunnel->stream, buf_slice(&out));
	}
	if (flow->client_minor == 1)
		r = http1_write_response(&out, head, &shape);
	return r < 0 ? r : tunnel_send(flow->tunnel, buf_slice(&out));
}

/* What has no length for the client ends with the connection. */
static void shape_answer(struct flow *flow, const struct http1_head *head, struct http1_shape *shape)
{
	flow->server_closes = head->minor == 0 || http1_has_token(head, "connection", "close") ||
			      shape->framing.body == HTTP1_UNTIL_CLOSE;
	/* A length leaves HTTP/1 no place for what is promised to come behind. */
	if (flow->trunk && shape->framing.body == HTTP1_LENGTH && http1_find(head, "trailer", NULL) > 0)
		shape->framing = (struct http1_framing){.body = HTTP1_CHUNKED};
	if (shape->framing.body == HTTP1_CHUNKED && flow->client_minor == 0)
		shape->framing.body = HTTP1_UNTIL_CLOSE;
	if (shape->framing.body == HTTP1_UNTIL_CLOSE || !flow->request.is_done)
		flow->is_close_wanted = true;
	shape->is_close = flow->is_close_wanted;
	flow->is_rechunked = shape->framing.body == HTTP1_CHUNKED && !flow->is_stream;
}

/* False: there is no going on. */
static bool take_head(struct flow *flow, const struct http1_head *head, size_t used)
{
	struct http1_shape shape = {.is_close = false};

	if (head->status == STATUS_SWITCHING) {
		switch_protocol(flow, head, used);
		return false;
	}
	if (!http1_frame_response(head, flow->is_for_head, &shape.framing)) {
		flow_fail(flow, STATUS_BAD_GATEWAY, "the server's answer has no sound length");
		return false;
	}
	if (head->status < 200) {
		if (pass_interim(flow, head) == 0)
			return true;
		flow_fail(flow, STATUS_BAD_GATEWAY, "the server does not come to its answer");
		return false;
	}
	buf_done(&flow->head);
	body_init(&flow->response, &shape.framing);
	flow->response.chunks.trailers = &flow->trailers;
	flow->tunnel->record.status = head->status;
	/* A stream's end is told; its content is not framed within it. */
	if (flow->trunk && !flow->response.is_done)
		flow->response.kind = HTTP1_UNTIL_CLOSE;
	shape_answer(flow, head, &shape);
	if (send_head(flow, head, &shape) == 0)
		return true;
	tunnel_close(flow->tunnel);
	return false;
}

static bool parse_head(struct flow *flow)
{
	struct http1_head head;
	size_t used;

	switch (http1_parse_response(buf_slice(&flow->back), &head, &used)) {
	case PARSED_BAD:
		flow_fail(flow, STATUS_BAD_GATEWAY, "the server's answer is malformed");
		return false;
	case PARSED_MORE:
		return false;
	case PARSED_OK:
		break;
	}
	if (!take_head(flow, &head, used))
		return false;
	buf_drop(&flow->back, used);
	return true;
}

/* ---- bodies ---- */

static int send_piece(struct flow *flow, struct slice data)
{
	auto_buf struct buf chunk = {0};
	int r;

	if (!flow->is_rechunked || data.len == 0)
		return tunnel_send(flow->tunnel, data);
	r = http1_write_chunk(&chunk, data);
	return r < 0 ? r : tunnel_send(flow->tunnel, buf_slice(&chunk));
}

/* Where the content was framed anew, its end is too. */
static void end_answer(struct flow *flow)
{
	auto_buf struct buf end = {0};

	if (flow->is_rechunked && (trailers_write_http1(&end, buf_slice(&flow->trailers)) < 0 ||
				   tunnel_send(flow->tunnel, buf_slice(&end)) < 0))
		tunnel_close(flow->tunnel);
	else
		flow_exchange_done(flow);
}

/* What a stream brings is held back there, where the client does not keep up. */
static bool may_go_on(const struct flow *flow)
{
	return !flow->response.is_done && (!flow->trunk || tunnel_room(flow->tunnel) > 0);
}

static void pump_body(struct flow *flow)
{
	enum parsed parsed = PARSED_OK;

	while (may_go_on(flow)) {
		struct slice data = {0};
		size_t used = 0;

		parsed = body_take(&flow->response, buf_slice(&flow->back), &data, &used);
		if (parsed == PARSED_OK && send_piece(flow, data) < 0)
			parsed = PARSED_BAD;
		if (parsed != PARSED_OK)
			break;
		buf_drop(&flow->back, used);
		if (flow->server_stream)
			h2_consume(flow->server_stream, used);
	}
	if (flow->server_has_ended && flow->back.len == 0)
		flow->response.is_done = true;
	if (parsed == PARSED_BAD)
		flow_fail(flow, STATUS_BAD_GATEWAY, "the server's answer is malformed");
	else if (flow->response.is_done)
		end_answer(flow);
}

void flow_take(struct flow *flow)
{
	while (!flow->has_answered)
		if (!parse_head(flow))
			return;
	pump_body(flow);
}

/* ---- the server ---- */

void flow_on_server_end(struct flow *flow, bool is_clean)
{
	bool is_whole = is_clean && flow->has_answered && flow->response.kind == HTTP1_UNTIL_CLOSE;

	if (is_whole) {
		flow->response.is_done = true;
		flow_exchange_done(flow);
	} else if (flow->is_stream && flow->outlet && flow_ask_again(flow, /* is_refused= */ false)) {
		return;
	} else if (!flow->is_stream && flow->outlet && flow->is_used && !flow->has_answered &&
		   flow->back.len == 0) {
		/* It closed the kept connection while the request was under way: clients know this, and ask
		 * again. */
		flow->tunnel->record.reason = "the server had closed the connection";
		tunnel_close(flow->tunnel);
	} else {
		flow_fail(flow, STATUS_BAD_GATEWAY, "the server broke off");
	}
}

void flow_on_server(struct flow *flow)
{
	size_t room = tunnel_room(flow->tunnel);
	ssize_t count;

	if (flow->state != FLOW_EXCHANGES) {
		/* Nothing was asked: it has closed, or says what is no answer. */
		flow_drop_outlet(flow);
		return;
	}
	if (room < READ_LEAST_BYTES) {
		outlet_read(flow->outlet, false);
		return;
	}
	room = room < READ_BYTES ? room : READ_BYTES;
	count = outlet_receive(flow->outlet, &flow->back, room);
	if (count == -EAGAIN)
		return;
	if (count <= 0) {
		flow_on_server_end(flow, count == 0);
		return;
	}
	tunnel_limit(flow->tunnel, TUNNEL_IDLE_MS);
	flow_take(flow);
}
