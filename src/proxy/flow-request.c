#include "proxy/flow-parts.h"

#include "proxy/denial.h"
#include "proxy/http1-write.h"
#include "proxy/http2-head.h"
#include "proxy/override.h"
#include "proxy/target.h"

enum { HEAD_MS = 30000, STATUS_BAD = 400, HTTP_PORT = 80, HTTPS_PORT = 443 };

/* ---- judging ---- */

/* Whether a connection to it could be allowed, whatever it turns out to carry. */
static bool may_connect(struct tunnel *tunnel)
{
	static const enum policy_protocol protocols[] = {POLICY_TCP, POLICY_HTTP, POLICY_TLS};
	struct judgement judgement;

	for (size_t i = 0; i < array_len(protocols); i++)
		if (tunnel_judge(tunnel, protocols[i], &judgement) || judgement.needs_inside)
			return true;
	return false;
}

static void take_connect(struct flow *flow, const struct target *target, size_t used)
{
	struct tunnel *tunnel = flow->tunnel;

	tunnel_take(tunnel, used);
	if (!may_connect(tunnel)) {
		record_set(&tunnel->record.method, slice_text("CONNECT"));
		http_deny(tunnel, false);
		return;
	}
	tunnel_set_host(tunnel, &target->name, target->port);
	flow_become_tunnel(flow);
}

static struct slice without_query(struct slice path)
{
	const char *query = memchr(path.ptr, '?', path.len);

	return query ? slice_of(path.ptr, (size_t)(query - path.ptr)) : path;
}

/* Answered, and told of in the journal, but never passed on. */
static void refuse(struct flow *flow, unsigned status, const char *why)
{
	tunnel_deny(flow->tunnel, why);
	http_fail(flow->tunnel, status, why, flow->is_for_head);
}

static void remember(struct flow *flow, const struct http1_head *head)
{
	flow->client_minor = head->minor;
	flow->is_for_head = slice_is(head->method, "HEAD");
	flow->wants_upgrade = head->minor == 1 && slice_is(head->method, "GET") &&
			      http1_has_token(head, "connection", "upgrade") &&
			      http1_has_token(head, "upgrade", "websocket") &&
			      http1_find(head, "sec-websocket-key", NULL) == 1;
	flow->is_close_wanted = head->minor == 0 || http1_has_token(head, "connection", "close");
	flow->has_answered = flow->is_deaf = false;
	flow->n_interim = flow->n_lost = 0;
	flow->has_sent_body = false;
	flow->scan.len = 0;
	buf_clear(&flow->trailers);
	flow->wants_trailers = http1_has_token(head, "te", "trailers");
}

/* Writes the request that was judged; a WebSocket's handshake has no body. */
static int write_head(struct flow *flow, const struct http1_head *head, const struct target *target)
{
	struct http1_shape shape = {.is_upgrade = flow->wants_upgrade};
	char host[HOST_PORT_TEXT_BYTES];
	unsigned default_port = flow->is_secure ? HTTPS_PORT : HTTP_PORT;

	if (!http1_frame_request(head, &shape.framing) ||
	    (flow->wants_upgrade && shape.framing.body != HTTP1_NO_BODY && shape.framing.length != 0))
		return -1;
	body_init(&flow->request, &shape.framing);
	flow->is_request_chunked = shape.framing.body == HTTP1_CHUNKED;
	/* A stream's end is told; its content is not framed within it. */
	if (flow->is_stream && !flow->request.is_done)
		flow->request.kind = HTTP1_UNTIL_CLOSE;
	buf_clear(&flow->head);
	host_format(&target->name, target->port, host);
	if (target->port == default_port)
		*strrchr(host, ':') = '\0';
	return http1_write_request(&flow->head, head, target->path, slice_text(host), &shape);
}

static const char leak[] = "a placeholder was on its way to a host that its credential does not belong to";

/* What goes on is what the host's service has, and nothing else that could be a credential. */
static int pass_on(struct flow *flow, struct http1_head *head, struct target *target)
{
	struct tunnel *tunnel = flow->tunnel;
	auto_buf struct buf text = {0};

	flow->injection = (struct injection){.service = ""};
	if (flow->is_secure && inject_request(&tunnel->proxy->inject, &tunnel->name, tunnel->port, head,
					      &text, &target->path, &flow->injection) < 0)
		return -ENOMEM;
	if (flow->injection.has_removed)
		tunnel->record.note = "a credential that sbx did not issue was removed";
	return write_head(flow, head, target);
}

/* What the record says is the method of the request line, or the one that was denied. */
static bool judge_request(struct flow *flow, const struct http1_head *head)
{
	struct tunnel *tunnel = flow->tunnel;
	char method[OVERRIDE_METHOD_BYTES];
	enum policy_protocol protocol = flow->is_secure ? POLICY_TLS : POLICY_HTTP;
	struct judgement judgement;
	enum parsed parsed;
	size_t at = 0;

	while ((parsed = override_next(head, &at, method)) == PARSED_OK) {
		record_set(&tunnel->record.method, slice_text(method));
		if (!tunnel_judge(tunnel, protocol, &judgement)) {
			http_deny(tunnel, flow->is_for_head);
			return false;
		}
	}
	record_set(&tunnel->record.method, head->method);
	if (parsed == PARSED_BAD) {
		refuse(flow, STATUS_BAD, "a field asks for a method that is none");
		return false;
	}
	if (!tunnel_judge(tunnel, protocol, &judgement)) {
		http_deny(tunnel, flow->is_for_head);
		return false;
	}
	return true;
}

/* An address is told of with the host that it was found for. */
static void set_host(struct flow *flow, const struct target *target)
{
	struct tunnel *tunnel = flow->tunnel;

	tunnel_set_host(tunnel, &target->name, target->port);
	if (tunnel->port != flow->out_port || strcmp(tunnel->host.text, flow->out_host.text) != 0)
		tunnel->record.address[0] = '\0';
}

static void take_head(struct flow *flow, struct http1_head *head, size_t used)
{
	struct tunnel *tunnel = flow->tunnel;
	struct target target;
	unsigned status;
	const char *why;

	remember(flow, head);
	why = target_parse(head, flow->is_proxy ? NULL : &tunnel->name, tunnel->port, &target, &status);
	if (!why && flow->is_proxy)
		set_host(flow, &target);
	record_set(&tunnel->record.method, head->method);
	if (why) {
		refuse(flow, status, why);
		return;
	}
	if (target.is_connect) {
		record_set(&tunnel->record.method, slice_of(NULL, 0));
		take_connect(flow, &target, used);
		return;
	}
	record_set(&tunnel->record.path, without_query(target.path));
	if (!judge_request(flow, head))
		return;
	if (inject_leaks(&tunnel->proxy->inject, &tunnel->name, flow->is_secure ? tunnel->port : 0, head)) {
		flow_deny(flow, leak);
	} else if (pass_on(flow, head, &target) < 0) {
		refuse(flow, STATUS_BAD, "the request's body has no sound length");
	} else {
		if (used > 0)
			tunnel_take(tunnel, used);
		flow_go(flow);
	}
}

static void wait_for_head(struct flow *flow)
{
	struct tunnel *tunnel = flow->tunnel;
	bool has_begun = flow->has_begun;

	flow->has_begun = tunnel->in.len > 0;
	if (tunnel->guest_ended && tunnel->in.len > 0)
		refuse(flow, STATUS_BAD, "the request does not come to its end");
	else if (tunnel->guest_ended)
		tunnel_leave(tunnel, slice_of("", 0));
	else if (tunnel->in.len == 0)
		tunnel_limit(tunnel, TUNNEL_IDLE_MS);
	else if (!has_begun)
		tunnel_limit(tunnel, HEAD_MS);
}

void flow_read_head(struct flow *flow)
{
	struct http1_head head;
	size_t used;

	flow->has_answered = flow->is_for_head = false;
	switch (http1_parse_request(buf_slice(&flow->tunnel->in), &head, &used)) {
	case PARSED_BAD:
		refuse(flow, STATUS_BAD, "the request is malformed");
		return;
	case PARSED_MORE:
		wait_for_head(flow);
		return;
	case PARSED_OK:
		flow->has_begun = false;
		take_head(flow, &head, used);
		return;
	}
}

void flow_take_stream(struct flow *flow)
{
	const struct tunnel *tunnel = flow->tunnel;
	bool has_body = !h2_has_ended(tunnel->stream);
	auto_buf struct buf text = {0};
	struct http1_head head;
	size_t used;

	if (http2_read_request(h2_head(tunnel->stream), has_body, &text) == 0 &&
	    http1_parse_request(buf_slice(&text), &head, &used) == PARSED_OK && used == text.len)
		take_head(flow, &head, 0);
	else
		refuse(flow, STATUS_BAD, "the request is malformed");
}

/* ---- the body ---- */

static bool leaks(struct flow *flow, struct slice data)
{
	const struct tunnel *tunnel = flow->tunnel;

	return inject_scan(&tunnel->proxy->inject, &tunnel->name, flow->is_secure ? tunnel->port : 0,
			   &flow->scan, data);
}

static void pass_piece(struct flow *flow, struct slice data, size_t used)
{
	if (!flow->is_deaf && data.len > 0 && flow_send_body(flow, data) < 0)
		flow->is_deaf = true;
	if (!flow->is_deaf && flow->request.is_done && flow_end_body(flow) < 0)
		flow->is_deaf = true;
	tunnel_take(flow->tunnel, used);
	tunnel_limit(flow->tunnel, TUNNEL_IDLE_MS);
}

/* The client has said everything that it will. */
static void end_request(struct flow *flow)
{
	if (!flow->is_stream) {
		tunnel_close(flow->tunnel);
		return;
	}
	flow->request.is_done = true;
	if (!flow->is_deaf && flow_end_body(flow) < 0)
		flow->is_deaf = true;
}

void flow_pump_request(struct flow *flow)
{
	struct tunnel *tunnel = flow->tunnel;
	enum parsed parsed = PARSED_OK;

	while (!flow->request.is_done && (flow->is_deaf || flow_has_room(flow))) {
		struct slice data = {0};
		size_t used = 0;

		parsed = body_take(&flow->request, buf_slice(&tunnel->in), &data, &used);
		if (parsed != PARSED_OK)
			break;
		if (leaks(flow, data)) {
			flow_deny(flow, leak);
			return;
		}
		pass_piece(flow, data, used);
	}
	if (parsed == PARSED_BAD)
		flow_fail(flow, STATUS_BAD, "the request's body is malformed");
	else if (tunnel->guest_ended && !flow->request.is_done && parsed == PARSED_MORE)
		end_request(flow);
}
