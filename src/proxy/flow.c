#include "proxy/flow-parts.h"

#include "proxy/denial.h"
#include "proxy/opening.h"

#include <stdlib.h>

enum { STATUS_TIMEOUT = 408, STATUS_BAD_GATEWAY = 502, STATUS_GATEWAY_TIMEOUT = 504 };

/* ---- bodies ---- */

void body_init(struct body *body, const struct http1_framing *framing)
{
	*body = (struct body){.kind = framing->body, .left = framing->length};
	body->is_done = body->kind == HTTP1_NO_BODY || (body->kind == HTTP1_LENGTH && body->left == 0);
}

static enum parsed take_plain(struct body *body, struct slice in, struct slice *ret_data, size_t *ret_used)
{
	size_t len = in.len < FLOW_PIECE_BYTES ? in.len : FLOW_PIECE_BYTES;

	if (body->kind == HTTP1_LENGTH && len > body->left)
		len = (size_t)body->left;
	if (len == 0)
		return PARSED_MORE;
	*ret_data = slice_of(in.ptr, len);
	*ret_used = len;
	if (body->kind == HTTP1_LENGTH) {
		body->left -= len;
		body->is_done = body->left == 0;
	}
	return PARSED_OK;
}

enum parsed body_take(struct body *body, struct slice in, struct slice *ret_data, size_t *ret_used)
{
	enum parsed parsed;

	if (body->is_done)
		return PARSED_MORE;
	if (body->kind != HTTP1_CHUNKED)
		return take_plain(body, in, ret_data, ret_used);
	parsed = http1_chunk(&body->chunks, in, ret_data, ret_used);
	body->is_done = parsed == PARSED_OK && http1_chunks_done(&body->chunks);
	return parsed;
}

/* ---- ends ---- */

void flow_deny(struct flow *flow, const char *reason)
{
	tunnel_deny(flow->tunnel, reason);
	if (flow->has_answered)
		tunnel_close(flow->tunnel);
	else
		http_deny(flow->tunnel, flow->is_for_head);
}

void flow_fail(struct flow *flow, unsigned status, const char *why)
{
	if (!flow->has_answered) {
		http_fail(flow->tunnel, status, why, flow->is_for_head);
		return;
	}
	flow->tunnel->record.reason = why;
	tunnel_close(flow->tunnel);
}

/* The one exchange of a stream. */
static void end_stream(struct flow *flow)
{
	struct tunnel *tunnel = flow->tunnel;

	if (flow->trailers.len > 0)
		(void)tunnel_trail(tunnel, buf_slice(&flow->trailers));
	tunnel_leave(tunnel, slice_of("", 0));
}

void flow_exchange_done(struct flow *flow)
{
	struct tunnel *tunnel = flow->tunnel;
	bool is_last = flow->is_close_wanted || !flow->request.is_done || flow->is_deaf;

	/* What came without being asked for is no beginning of the next answer. */
	if (flow->server_closes || flow->back.len > 0 || !flow->request.is_done || flow->is_deaf ||
	    flow->trunk || (is_last && !flow->is_stream))
		flow_drop_outlet(flow);
	flow->is_used = true;
	tunnel_record(tunnel);
	if (flow->is_stream) {
		if (flow->outlet)
			ways_put(flow->ways, steal(&flow->outlet), &tunnel->address, flow->is_by_proxy);
		end_stream(flow);
		return;
	}
	if (is_last) {
		tunnel_leave(tunnel, slice_of("", 0));
		return;
	}
	buf_done(&flow->back);
	flow->state = FLOW_READS_HEAD;
	flow_read_head(flow);
}

static void done(struct tunnel *tunnel)
{
	struct flow *flow = tunnel->data;

	flow_leave_server(flow);
	ways_leave(flow->ways);
	buf_done(&flow->trailers);
	free(flow);
	tunnel->data = NULL;
}

void flow_become_tunnel(struct flow *flow)
{
	struct tunnel *tunnel = flow->tunnel;
	int r = tunnel_send(tunnel, slice_text("HTTP/1.1 200 Connection established\r\n\r\n"));

	done(tunnel);
	tunnel_set_stage(tunnel, NULL, NULL);
	if (r < 0)
		tunnel_close(tunnel);
	else
		opening_restart(tunnel);
}

/* ---- the guest ---- */

static void on_guest(struct tunnel *tunnel)
{
	struct flow *flow = tunnel->data;

	switch (flow->state) {
	case FLOW_READS_HEAD:
		flow_read_head(flow);
		return;
	case FLOW_CONNECTS:
	case FLOW_ASKS:
		return;
	case FLOW_EXCHANGES:
		flow_pump_request(flow);
		return;
	}
}

static void on_room(struct tunnel *tunnel)
{
	struct flow *flow = tunnel->data;

	if (flow->outlet && flow->state == FLOW_EXCHANGES)
		outlet_read(flow->outlet, true);
	else if (flow->trunk && flow->state == FLOW_EXCHANGES)
		flow_take(flow);
}

static void on_time(struct tunnel *tunnel)
{
	struct flow *flow = tunnel->data;

	if (flow->state == FLOW_READS_HEAD && tunnel->in.len > 0)
		flow_fail(flow, STATUS_TIMEOUT, "the request did not come to its end");
	else if (flow->state == FLOW_ASKS)
		flow_fail(flow, STATUS_BAD_GATEWAY, "the vault does not answer");
	else if (flow->state == FLOW_EXCHANGES && flow->request.is_done)
		flow_fail(flow, STATUS_GATEWAY_TIMEOUT, "the server does not come to the end of its answer");
	else if (flow->state != FLOW_CONNECTS) /* the dial has its own limit */
		tunnel_close(tunnel);
}

static void on_revoked(struct tunnel *tunnel)
{
	struct flow *flow = tunnel->data;

	flow_deny(flow, tunnel->record.reason);
}

static const struct tunnel_stage stage = {
	.on_guest = on_guest, .on_room = on_room, .on_time = on_time, .on_revoked = on_revoked, .done = done};

static struct flow *new_flow(struct tunnel *tunnel)
{
	struct flow *flow = calloc(1, sizeof(*flow));

	if (!flow) {
		tunnel_close(tunnel);
		return NULL;
	}
	flow->tunnel = tunnel;
	tunnel_set_stage(tunnel, &stage, flow);
	return flow;
}

void flow_start(struct tunnel *tunnel)
{
	struct flow *flow = new_flow(tunnel);

	if (flow)
		flow_read_head(flow);
}

static struct flow *new_secure_flow(struct tunnel *tunnel)
{
	struct flow *flow = new_flow(tunnel);

	if (flow && ways_use(tunnel->proxy, &tunnel->host, tunnel->port, &flow->ways) < 0) {
		tunnel_close(tunnel);
		return NULL;
	}
	if (flow)
		flow->is_secure = true;
	return flow;
}

void flow_start_secure(struct tunnel *tunnel)
{
	struct flow *flow = new_secure_flow(tunnel);

	if (flow)
		flow_read_head(flow);
}

void flow_start_stream(struct tunnel *tunnel)
{
	struct flow *flow = new_secure_flow(tunnel);

	if (!flow)
		return;
	flow->is_stream = true;
	flow_take_stream(flow);
}

void flow_start_proxy(struct tunnel *tunnel)
{
	struct flow *flow = new_flow(tunnel);

	tunnel->record.via = "proxy";
	if (!flow)
		return;
	flow->is_proxy = true;
	flow_read_head(flow);
}
