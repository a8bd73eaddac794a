#include "proxy/flow-parts.h"

#include "proxy/denial.h"
#include "proxy/http2-head.h"

#include <errno.h>

enum { ASK_MS = 10000, LOST_MAX = 2, STATUS_BAD_GATEWAY = 502, STREAM_QUEUE_MAX_BYTES = 64 << 10 };

static const char no_memory[] = "there is no memory for a connection";

#define flow_of(member, pointer) ((struct flow *)(void *)((char *)(pointer)-offsetof(struct flow, member)))

/* ---- a server that speaks HTTP/1 ---- */

static void on_readable(void *owner)
{
	flow_on_server(owner);
}

static void on_writable(void *owner)
{
	struct flow *flow = owner;

	if (flow->state == FLOW_EXCHANGES)
		flow_pump_request(flow);
}

/* A server may answer and close before it has read everything. */
static void on_broken(void *owner)
{
	struct flow *flow = owner;

	flow->is_deaf = true;
	if (flow->state == FLOW_EXCHANGES)
		flow_pump_request(flow);
}

static const struct outlet_ops outlet_ops = {
	.on_readable = on_readable, .on_writable = on_writable, .on_broken = on_broken};

/* ---- a stream of a server that speaks HTTP/2 ---- */

static void take_stream_head(struct flow *flow, bool has_body)
{
	if (http2_read_response(h2_head(flow->server_stream), has_body, flow->is_for_head, &flow->back) < 0)
		flow_fail(flow, STATUS_BAD_GATEWAY, "the server's answer is malformed");
	else
		flow_take(flow);
}

static void on_response(struct handler *handler, int status)
{
	struct flow *flow = flow_of(server, handler);

	(void)status;
	flow->server_has_ended = h2_has_ended(flow->server_stream);
	take_stream_head(flow, !flow->server_has_ended);
}

static void on_inform(struct handler *handler)
{
	take_stream_head(flow_of(server, handler), /* has_body= */ false);
}

static void on_data(struct handler *handler, struct h2_stream *stream, struct slice data)
{
	struct flow *flow = flow_of(server, handler);

	(void)stream;
	if (buf_append(&flow->back, data) < 0) {
		flow_fail(flow, STATUS_BAD_GATEWAY, no_memory);
		return;
	}
	tunnel_limit(flow->tunnel, TUNNEL_IDLE_MS);
	flow_take(flow);
}

static void on_end(struct handler *handler, struct h2_stream *stream)
{
	struct flow *flow = flow_of(server, handler);

	flow->server_has_ended = true;
	if (flow->has_answered && h2_head(stream).len > 0)
		(void)http2_read_trailers(h2_head(stream), &flow->trailers);
	flow_take(flow);
}

static void on_drain(struct handler *handler)
{
	flow_pump_request(flow_of(server, handler));
}

static bool is_safe(const struct flow *flow)
{
	const char *head = buf_text(&flow->head);

	return strncmp(head, "GET ", 4) == 0 || strncmp(head, "HEAD ", 5) == 0;
}

/* A server may be leaving while it is asked. What it has not begun with, or what may be asked twice (RFC
 * 9110, 9.2.2), another connection is asked for, as long as nothing has followed the head. */
static bool may_ask_again(struct flow *flow, bool is_refused)
{
	return flow->head.len > 0 && flow->n_interim == 0 && !flow->has_sent_body &&
	       (is_refused || (flow->is_used && is_safe(flow))) && ++flow->n_lost <= LOST_MAX;
}

bool flow_ask_again(struct flow *flow, bool is_refused)
{
	if (!may_ask_again(flow, is_refused))
		return false;
	flow_drop_outlet(flow);
	flow_go(flow);
	return true;
}

static void on_close(struct handler *handler)
{
	struct flow *flow = flow_of(server, handler);
	bool is_refused = h2_is_refused(flow->server_stream);

	flow->server_stream = NULL;
	if (flow->server_has_ended)
		return;
	if (!flow_ask_again(flow, is_refused))
		flow_on_server_end(flow, /* is_clean= */ false);
}

static const struct handler_ops stream_ops = {.on_response = on_response,
					      .on_inform = on_inform,
					      .on_data = on_data,
					      .on_end = on_end,
					      .on_drain = on_drain,
					      .on_close = on_close};

/* One that has ended both ways goes by itself. */
static void drop_stream(struct flow *flow)
{
	struct h2_stream *stream = flow->server_stream;

	flow->server_stream = NULL;
	if (!stream)
		return;
	h2_set_data(stream, NULL);
	if (!flow->server_has_ended || !flow->request.is_done)
		h2_reset(stream);
}

/* ---- the head ---- */

/* There may be a credential in it. */
static void wipe(struct buf *text)
{
	if (text->data)
		explicit_bzero(text->data, text->room);
	buf_done(text);
}

#define auto_secret __attribute__((cleanup(wipe)))

/* The text that is for HTTP/1 in the form of HTTP/2. */
static int translate_head(const struct flow *flow, struct slice text, struct buf *into)
{
	struct http1_shape shape = {.is_close = false};
	struct http1_head head;
	struct slice host = {0};
	size_t used;

	/* At once: a buffer that grows leaves what it held behind. */
	if (!buf_space(into, text.len * 2))
		return -ENOMEM;
	if (http1_parse_request(text, &head, &used) != PARSED_OK ||
	    !http1_frame_request(&head, &shape.framing))
		return -EINVAL;
	(void)http1_find(&head, "host", &host);
	return http2_write_request(into, &head, head.target, host, &shape, flow->wants_trailers);
}

static void put_into_stream(struct flow *flow, struct slice text)
{
	auto_secret struct buf lines = {0};
	int r = translate_head(flow, text, &lines);

	flow->server.ops = &stream_ops;
	flow->server_has_ended = false;
	if (r == 0)
		r = h2_request_head(trunk_h2(flow->trunk), buf_slice(&lines), flow->injection.header,
				    !flow->request.is_done, &flow->server, &flow->server_stream);
	if (r < 0)
		flow_fail(flow, STATUS_BAD_GATEWAY, "the request cannot be asked of the server");
	else
		flow_pump_request(flow);
}

static void put_out(struct flow *flow, struct slice text)
{
	flow->state = FLOW_EXCHANGES;
	tunnel_limit(flow->tunnel, TUNNEL_IDLE_MS);
	if (flow->trunk) {
		put_into_stream(flow, text);
		return;
	}
	flow->is_deaf = outlet_send(flow->outlet, text) < 0;
	/* A body that came to nothing before there was this connection still has an end. */
	if (!flow->is_deaf && flow->request.is_done)
		flow->is_deaf = flow_end_body(flow) < 0;
	outlet_read(flow->outlet, true);
	flow_pump_request(flow);
}

/* Before the empty line. The room is there first: a buffer that grows leaves what it held behind. */
static int put_in(const struct flow *flow, struct slice value, struct buf *into)
{
	struct slice head = slice_of(buf_text(&flow->head), flow->head.len - strlen("\r\n"));
	size_t more = strlen(flow->injection.header) + value.len + strlen(": \r\n\r\n");
	int r = buf_space(into, head.len + more) ? buf_append(into, head) : -ENOMEM;

	r = r < 0 ? r : buf_append(into, slice_text(flow->injection.header));
	r = r < 0 ? r : buf_append(into, slice_text(": "));
	r = r < 0 ? r : buf_append(into, value);
	return r < 0 ? r : buf_append(into, slice_text("\r\n\r\n"));
}

static bool is_connected(const struct flow *flow)
{
	return flow->trunk ? ways_has(flow->ways, flow->trunk) : flow->outlet != NULL;
}

static void on_revealed(void *owner, int result, struct slice value)
{
	auto_secret struct buf text = {0};
	struct flow *flow = owner;

	flow->ask = NULL;
	if (result < 0) {
		flow_fail(flow, STATUS_BAD_GATEWAY, "the credential for this host is not there");
	} else if (!is_connected(flow) && ++flow->n_lost > LOST_MAX) {
		flow_fail(flow, STATUS_BAD_GATEWAY, "the server broke off");
	} else if (!is_connected(flow)) {
		/* The server has closed it meanwhile, perhaps because it was kept for long. */
		flow_go(flow);
	} else if (put_in(flow, value, &text) < 0) {
		flow_fail(flow, STATUS_BAD_GATEWAY, no_memory);
	} else {
		record_set(&flow->tunnel->record.credential, slice_text(flow->injection.service));
		put_out(flow, buf_slice(&text));
	}
}

/* The server has proved who it is by now. */
static void send_head(struct flow *flow)
{
	const struct tunnel *tunnel = flow->tunnel;
	auto_buf struct buf question = {0};
	int r;

	if (flow->injection.service[0] == '\0') {
		put_out(flow, buf_slice(&flow->head));
		return;
	}
	flow->state = FLOW_ASKS;
	tunnel_limit(flow->tunnel, ASK_MS);
	r = buf_printf(&question, "%s %s %u", flow->injection.service, tunnel->name.text, tunnel->port);
	if (r == 0)
		r = vault_ask(tunnel->proxy->vault, CHAN_VAULT_REVEAL, buf_slice(&question), on_revealed,
			      flow, &flow->ask);
	if (r < 0)
		flow_fail(flow, STATUS_BAD_GATEWAY, no_memory);
}

/* ---- the connection ---- */

static void take_way(struct flow *flow, const struct way *way)
{
	struct tunnel *tunnel = flow->tunnel;

	flow->is_by_proxy = way->is_by_proxy;
	if (!way->is_by_proxy)
		tunnel_set_address(tunnel, &way->address);
	flow->trunk = way->trunk;
	if (flow->trunk && !flow->is_stream) {
		flow->is_counted = true;
		tunnel->proxy->n_streams++;
	}
	flow->outlet = way->outlet;
	if (flow->outlet)
		outlet_set_owner(flow->outlet, &outlet_ops, flow);
	flow->is_used = way->is_used;
	flow->server_closes = false;
	if (tunnel->has_address &&
	    !policy_address_ok(&tunnel->proxy->policy, &tunnel->host, tunnel->port, &tunnel->address)) {
		tunnel_deny(tunnel, "the policy has changed");
		http_deny(tunnel, flow->is_for_head);
	} else {
		send_head(flow);
	}
}

static void on_way_found(struct flow *flow, const struct way *way)
{
	if (way->outlet || way->trunk) {
		take_way(flow, way);
	} else if (way->is_denied) {
		tunnel_deny_address(flow->tunnel, &way->address, way->why);
		http_deny(flow->tunnel, flow->is_for_head);
	} else {
		flow_fail(flow, STATUS_BAD_GATEWAY, way->why);
	}
}

static void on_way(struct way_wait *wait, const struct way *way)
{
	on_way_found(flow_of(wait, wait), way);
}

static void on_reached(void *owner, const struct reach_result *result)
{
	struct flow *flow = owner;
	const struct way way = {.outlet = result->outlet,
				.address = result->address,
				.is_by_proxy = result->is_by_proxy,
				.why = result->why,
				.is_denied = result->is_denied};

	flow->reach = NULL;
	on_way_found(flow, &way);
}

static bool can_go_on(const struct flow *flow)
{
	const struct tunnel *tunnel = flow->tunnel;

	return flow->outlet && flow->out_port == tunnel->port &&
	       strcmp(flow->out_host.text, tunnel->host.text) == 0 &&
	       (!tunnel->has_address ||
		policy_address_ok(&tunnel->proxy->policy, &tunnel->host, tunnel->port, &tunnel->address));
}

/* Asking for another protocol is HTTP/1's own; and where there are many streams, what waits is better left in
 * sockets. */
static bool wants_http1(const struct flow *flow)
{
	return flow->wants_upgrade ||
	       (!flow->is_stream && flow->tunnel->proxy->n_streams > TUNNEL_STREAMS_MANY);
}

void flow_go(struct flow *flow)
{
	struct tunnel *tunnel = flow->tunnel;

	if (flow->is_secure && ways_follow(&flow->ways))
		flow_drop_outlet(flow);
	if (can_go_on(flow)) {
		send_head(flow);
		return;
	}
	flow_drop_outlet(flow);
	tunnel->record.address[0] = '\0';
	flow->out_host = tunnel->host;
	flow->out_port = tunnel->port;
	flow->state = FLOW_CONNECTS;
	if (flow->is_secure) {
		flow->wait.done = on_way;
		flow->wait.protocols = wants_http1(flow) ? TLS_HTTP1 : TLS_HTTP1 | TLS_HTTP2;
		flow->wait.takes_used = flow->is_stream && flow->n_lost == 0;
		ways_get(flow->ways, &flow->wait);
		return;
	}
	if (reach_start(tunnel->proxy, &flow->out_host, flow->out_port, /* protocols= */ 0, on_reached, flow,
			&flow->reach) < 0)
		flow_fail(flow, STATUS_BAD_GATEWAY, no_memory);
}

void flow_drop_outlet(struct flow *flow)
{
	if (flow->outlet || flow->trunk)
		flow->tunnel->has_address = false;
	drop_stream(flow);
	flow->tunnel->proxy->n_streams -= flow->is_counted;
	flow->is_counted = false;
	outlet_free(flow->outlet);
	flow->outlet = NULL;
	flow->trunk = NULL;
	buf_done(&flow->back);
}

void flow_leave_server(struct flow *flow)
{
	reach_cancel(flow->reach);
	way_cancel(&flow->wait);
	vault_cancel(flow->ask);
	flow_drop_outlet(flow);
	buf_done(&flow->head);
}

/* ---- the body ---- */

int flow_send_body(struct flow *flow, struct slice data)
{
	auto_buf struct buf chunk = {0};
	int r;

	flow->has_sent_body = true;
	if (flow->trunk)
		return flow->server_stream ? h2_send(flow->server_stream, data) : -EPIPE;
	if (!flow->is_request_chunked)
		return outlet_send(flow->outlet, data);
	r = http1_write_chunk(&chunk, data);
	return r < 0 ? r : outlet_send(flow->outlet, buf_slice(&chunk));
}

int flow_end_body(struct flow *flow)
{
	auto_buf struct buf chunk = {0};
	int r;

	if (flow->trunk && !flow->server_stream)
		return -EPIPE;
	if (flow->trunk) {
		h2_end(flow->server_stream);
		return 0;
	}
	if (!flow->is_request_chunked)
		return 0;
	r = http1_write_chunk(&chunk, slice_of("", 0));
	return r < 0 ? r : outlet_send(flow->outlet, buf_slice(&chunk));
}

bool flow_has_room(const struct flow *flow)
{
	if (flow->trunk)
		return !flow->server_stream || h2_queued(flow->server_stream) < STREAM_QUEUE_MAX_BYTES;
	return outlet_waiting(flow->outlet) == 0;
}
