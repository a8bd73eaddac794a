#include "proxy/flow-parts.h"

#include "proxy/denial.h"
#include "proxy/http1-write.h"
#include "proxy/override.h"
#include "proxy/target.h"

enum { HEAD_MS = 30000, STATUS_BAD = 400 };

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
	flow->n_interim = 0;
}

/* Writes the request that was judged; a WebSocket's handshake has no body. */
static int write_head(struct flow *flow, const struct http1_head *head, const struct target *target)
{
	struct http1_shape shape = {.is_upgrade = flow->wants_upgrade};
	char host[HOST_PORT_TEXT_BYTES];
	enum { HTTP_PORT = 80 };

	if (!http1_frame_request(head, &shape.framing) ||
	    (flow->wants_upgrade && shape.framing.body != HTTP1_NO_BODY && shape.framing.length != 0))
		return -1;
	body_init(&flow->request, &shape.framing);
	host_format(&target->name, target->port, host);
	if (target->port == HTTP_PORT)
		host[strlen(host) - strlen(":80")] = '\0';
	return http1_write_request(&flow->head, head, target->path, slice_text(host), &shape);
}

/* What the record says is the method of the request line, or the one that was denied. */
static bool judge_request(struct flow *flow, const struct http1_head *head)
{
	struct tunnel *tunnel = flow->tunnel;
	char method[OVERRIDE_METHOD_BYTES];
	struct judgement judgement;
	enum parsed parsed;
	size_t at = 0;

	while ((parsed = override_next(head, &at, method)) == PARSED_OK) {
		record_set(&tunnel->record.method, slice_text(method));
		if (!tunnel_judge(tunnel, POLICY_HTTP, &judgement)) {
			http_deny(tunnel, flow->is_for_head);
			return false;
		}
	}
	record_set(&tunnel->record.method, head->method);
	if (parsed == PARSED_BAD) {
		refuse(flow, STATUS_BAD, "a field asks for a method that is none");
		return false;
	}
	if (!tunnel_judge(tunnel, POLICY_HTTP, &judgement)) {
		http_deny(tunnel, flow->is_for_head);
		return false;
	}
	return true;
}

static void take_head(struct flow *flow, const struct http1_head *head, size_t used)
{
	struct tunnel *tunnel = flow->tunnel;
	struct target target;
	unsigned status;
	const char *why;

	remember(flow, head);
	why = target_parse(head, flow->is_proxy ? NULL : &tunnel->name, tunnel->port, &target, &status);
	if (!why && flow->is_proxy)
		tunnel_set_host(tunnel, &target.name, target.port);
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
	if (write_head(flow, head, &target) < 0) {
		refuse(flow, STATUS_BAD, "the request's body has no sound length");
	} else {
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

/* ---- the body ---- */

static int send_piece(struct flow *flow, struct slice data)
{
	auto_buf struct buf chunk = {0};
	int r;

	if (flow->request.kind != HTTP1_CHUNKED)
		return outlet_send(flow->outlet, data);
	r = data.len > 0 || flow->request.is_done ? http1_write_chunk(&chunk, data) : 0;
	return r < 0 ? r : outlet_send(flow->outlet, buf_slice(&chunk));
}

void flow_pump_request(struct flow *flow)
{
	struct tunnel *tunnel = flow->tunnel;
	enum parsed parsed = PARSED_OK;

	while (!flow->request.is_done && (flow->is_deaf || outlet_waiting(flow->outlet) == 0)) {
		struct slice data = {0};
		size_t used = 0;

		parsed = body_take(&flow->request, buf_slice(&tunnel->in), &data, &used);
		if (parsed != PARSED_OK)
			break;
		if (!flow->is_deaf && send_piece(flow, data) < 0)
			flow->is_deaf = true;
		tunnel_take(tunnel, used);
		tunnel_limit(tunnel, TUNNEL_IDLE_MS);
	}
	if (parsed == PARSED_BAD)
		flow_fail(flow, STATUS_BAD, "the request's body is malformed");
	else if (tunnel->guest_ended && !flow->request.is_done && parsed == PARSED_MORE)
		tunnel_close(tunnel);
}
