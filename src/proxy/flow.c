#include "proxy/flow-parts.h"

#include "proxy/denial.h"
#include "proxy/http1-write.h"
#include "proxy/opening.h"

#include <stdlib.h>

enum { ASK_MS = 10000, STATUS_TIMEOUT = 408, STATUS_BAD_GATEWAY = 502 };

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

/* ---- the way out ---- */

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

void flow_drop_outlet(struct flow *flow)
{
	if (flow->outlet)
		flow->tunnel->has_address = false;
	outlet_free(flow->outlet);
	flow->outlet = NULL;
	buf_done(&flow->back);
}

/* There may be a credential in it. */
static void wipe_head(struct flow *flow)
{
	if (flow->head.data)
		explicit_bzero(flow->head.data, flow->head.room);
	buf_done(&flow->head);
}

static void put_out(struct flow *flow)
{
	flow->state = FLOW_EXCHANGES;
	flow->is_deaf = outlet_send(flow->outlet, buf_slice(&flow->head)) < 0;
	wipe_head(flow);
	tunnel_limit(flow->tunnel, TUNNEL_IDLE_MS);
	outlet_read(flow->outlet, true);
	flow_pump_request(flow);
}

/* Before the empty line. The room is there first: a buffer that grows leaves what it held behind. */
static int put_in(struct flow *flow, struct slice value)
{
	size_t more = strlen(flow->injection.header) + value.len + strlen(": \r\n");
	int r = buf_space(&flow->head, more) ? 0 : -ENOMEM;

	buf_cut(&flow->head, flow->head.len - strlen("\r\n"));
	r = r < 0 ? r : buf_append(&flow->head, slice_text(flow->injection.header));
	r = r < 0 ? r : buf_append(&flow->head, slice_text(": "));
	r = r < 0 ? r : buf_append(&flow->head, value);
	return r < 0 ? r : buf_append(&flow->head, slice_text("\r\n\r\n"));
}

static void on_revealed(void *owner, int result, struct slice value)
{
	struct flow *flow = owner;

	flow->ask = NULL;
	if (result < 0) {
		flow_fail(flow, STATUS_BAD_GATEWAY, "the credential for this host is not there");
	} else if (!flow->outlet) {
		/* The server has closed the kept connection meanwhile. */
		flow_go(flow);
	} else if (put_in(flow, value) < 0) {
		flow_fail(flow, STATUS_BAD_GATEWAY, "there is no memory for the request");
	} else {
		record_set(&flow->tunnel->record.credential, slice_text(flow->injection.service));
		put_out(flow);
	}
}

/* The server has proved who it is by now. */
static void send_head(struct flow *flow)
{
	const struct tunnel *tunnel = flow->tunnel;
	auto_buf struct buf question = {0};
	int r;

	if (flow->injection.service[0] == '\0') {
		put_out(flow);
		return;
	}
	flow->state = FLOW_ASKS;
	tunnel_limit(flow->tunnel, ASK_MS);
	r = buf_printf(&question, "%s %s %u", flow->injection.service, tunnel->name.text, tunnel->port);
	if (r == 0)
		r = vault_ask(tunnel->proxy->vault, CHAN_VAULT_REVEAL, buf_slice(&question), on_revealed,
			      flow, &flow->ask);
	if (r < 0)
		flow_fail(flow, STATUS_BAD_GATEWAY, "there is no memory for the request");
}

static void take_connection(struct flow *flow, const struct reach_result *result)
{
	struct tunnel *tunnel = flow->tunnel;

	if (!result->is_by_proxy)
		tunnel_set_address(tunnel, &result->address);
	flow->outlet = result->outlet;
	outlet_set_owner(flow->outlet, &outlet_ops, flow);
	flow->is_used = flow->server_closes = false;
	if (tunnel->has_address &&
	    !policy_address_ok(&tunnel->proxy->policy, &tunnel->host, tunnel->port, &tunnel->address)) {
		tunnel_deny(tunnel, "the policy has changed");
		http_deny(tunnel, flow->is_for_head);
	} else {
		send_head(flow);
	}
}

static void on_reached(void *owner, const struct reach_result *result)
{
	struct flow *flow = owner;

	flow->reach = NULL;
	if (result->outlet) {
		take_connection(flow, result);
	} else if (result->is_denied) {
		tunnel_deny(flow->tunnel, result->why);
		http_deny(flow->tunnel, flow->is_for_head);
	} else {
		flow_fail(flow, STATUS_BAD_GATEWAY, result->why);
	}
}

static bool can_go_on(const struct flow *flow)
{
	const struct tunnel *tunnel = flow->tunnel;

	return flow->outlet && flow->out_port == tunnel->port &&
	       strcmp(flow->out_host.text, tunnel->host.text) == 0 &&
	       (!tunnel->has_address ||
		policy_address_ok(&tunnel->proxy->policy, &tunnel->host, tunnel->port, &tunnel->address));
}

void flow_go(struct flow *flow)
{
	struct tunnel *tunnel = flow->tunnel;

	if (can_go_on(flow)) {
		send_head(flow);
		return;
	}
	flow_drop_outlet(flow);
	tunnel->record.address[0] = '\0';
	flow->out_host = tunnel->host;
	flow->out_port = tunnel->port;
	flow->state = FLOW_CONNECTS;
	if (reach_start(tunnel->proxy, &flow->out_host, flow->out_port, flow->is_secure ? TLS_HTTP1 : 0,
			on_reached, flow, &flow->reach) < 0)
		flow_fail(flow, STATUS_BAD_GATEWAY, "there is no memory for a connection");
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

void flow_exchange_done(struct flow *flow)
{
	struct tunnel *tunnel = flow->tunnel;
	bool is_last = flow->is_close_wanted || !flow->request.is_done || flow->is_deaf;

	/* What came without being asked for is no beginning of the next answer. */
	if (flow->server_closes || flow->back.len > 0 || is_last)
		flow_drop_outlet(flow);
	flow->is_used = true;
	tunnel_record(tunnel);
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

	reach_cancel(flow->reach);
	vault_cancel(flow->ask);
	flow_drop_outlet(flow);
	wipe_head(flow);
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
}

static void on_time(struct tunnel *tunnel)
{
	struct flow *flow = tunnel->data;

	if (flow->state == FLOW_READS_HEAD && tunnel->in.len > 0)
		flow_fail(flow, STATUS_TIMEOUT, "the request did not come to its end");
	else if (flow->state == FLOW_ASKS)
		flow_fail(flow, STATUS_BAD_GATEWAY, "the vault does not answer");
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

static void start(struct tunnel *tunnel, bool is_proxy, bool is_secure)
{
	struct flow *flow = calloc(1, sizeof(*flow));

	if (!flow) {
		tunnel_close(tunnel);
		return;
	}
	flow->tunnel = tunnel;
	flow->is_proxy = is_proxy;
	flow->is_secure = is_secure;
	tunnel_set_stage(tunnel, &stage, flow);
	flow_read_head(flow);
}

void flow_start(struct tunnel *tunnel)
{
	start(tunnel, false, false);
}

void flow_start_secure(struct tunnel *tunnel)
{
	start(tunnel, false, true);
}

void flow_start_proxy(struct tunnel *tunnel)
{
	tunnel->record.via = "proxy";
	start(tunnel, true, false);
}
