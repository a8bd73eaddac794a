#include "proxy/tunnel.h"

#include "proxy/opening.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>

enum {
	STATUS_OK = 200,
	STATUS_BAD = 400,
	STATUS_BUSY = 503,
	QUEUE_SMALL_BYTES = 16 << 10, /* of one tunnel while all together have too much */
	STREAMS_MAX = 1000, /* and a window of its own on its way in, a quarter of a megabyte at least */
	LEAVE_MS = 30000,
	IN_KEPT_BYTES = 4096, /* what an empty buffer may go on holding */
};

/* ---- the guest's side ---- */

static void send_sealed(struct tunnel *tunnel)
{
	if (tunnel->stream)
		(void)h2_send(tunnel->stream, tls_outgoing(tunnel->tls));
	tls_sent(tunnel->tls);
}

/* Only what waits in `in` is held back from the guest's window. */
static void give_back_sealed(struct tunnel *tunnel)
{
	size_t count = tunnel->sealed > tunnel->in.len ? tunnel->sealed - tunnel->in.len : 0;

	tunnel->sealed -= count;
	if (tunnel->stream && count > 0)
		h2_consume(tunnel->stream, count);
}

static int take_sealed(struct tunnel *tunnel, struct slice data)
{
	int r = tls_feed(tunnel->tls, data);

	tunnel->sealed += data.len;
	r = r < 0 ? r : tls_read(tunnel->tls, &tunnel->in);
	send_sealed(tunnel);
	give_back_sealed(tunnel);
	if (r == 0 && tls_has_ended(tunnel->tls))
		tunnel->guest_ended = true;
	return r;
}

/* The library answers by itself: a client that never lets go of its answers asks for no end of them. */
static bool is_flooded(const struct tunnel *tunnel)
{
	return tunnel->stream && h2_queued(tunnel->stream) / 2 > TUNNEL_QUEUE_MAX_BYTES;
}

static const struct tunnel_stage leaving;
static void drop(struct tunnel *tunnel);

/* What the client is told last is why (an alert). What it sends behind that is not looked at. */
static void break_tls(struct tunnel *tunnel)
{
	if (tunnel->stage == &leaving) {
		drop(tunnel);
		return;
	}
	if (!tunnel->record.reason)
		tunnel->record.reason = tls_why(tunnel->tls);
	tunnel->is_recording = true;
	tunnel_leave(tunnel, slice_of("", 0));
}

static void on_data(struct handler *handler, struct h2_stream *stream, struct slice data)
{
	struct tunnel *tunnel = (struct tunnel *)handler;

	(void)stream;
	if (tunnel->tls && take_sealed(tunnel, data) < 0)
		break_tls(tunnel);
	else if (tunnel->tls && is_flooded(tunnel))
		tunnel_close(tunnel);
	else if (!tunnel->tls && buf_append(&tunnel->in, data) < 0)
		tunnel_close(tunnel);
	else
		tunnel->stage->on_guest(tunnel);
}

int tunnel_open_tls(struct tunnel *tunnel, struct tls *tls)
{
	struct buf hello = tunnel->in;
	int r;

	buf_init(&tunnel->in);
	tunnel->tls = tls;
	r = take_sealed(tunnel, buf_slice(&hello));
	buf_done(&hello);
	return r;
}

static void on_end(struct handler *handler, struct h2_stream *stream)
{
	struct tunnel *tunnel = (struct tunnel *)handler;

	(void)stream;
	tunnel->guest_ended = true;
	tunnel->stage->on_guest(tunnel);
}

static void on_drain(struct handler *handler)
{
	struct tunnel *tunnel = (struct tunnel *)handler;

	tunnel->stage->on_room(tunnel);
}

static void on_close(struct handler *handler)
{
	struct tunnel *tunnel = (struct tunnel *)handler;

	tunnel->stream = NULL;
	tunnel_close(tunnel);
}

static const struct handler_ops tunnel_ops = {
	.on_data = on_data, .on_end = on_end, .on_drain = on_drain, .on_close = on_close};

void tunnel_take(struct tunnel *tunnel, size_t count)
{
	buf_drop(&tunnel->in, count);
	if (tunnel->in.len == 0 && tunnel->in.room > IN_KEPT_BYTES)
		buf_done(&tunnel->in);
	tunnel->record.bytes_in += count;
	if (tunnel->tls)
		give_back_sealed(tunnel);
	else if (tunnel->stream)
		h2_consume(tunnel->stream, count);
}

int tunnel_send(struct tunnel *tunnel, struct slice bytes)
{
	tunnel->record.bytes_out += bytes.len;
	if (tunnel->tls) {
		int r = tls_write(tunnel->tls, bytes);

		send_sealed(tunnel);
		return r;
	}
	return tunnel->stream ? h2_send(tunnel->stream, bytes) : -EPIPE;
}

void tunnel_end(struct tunnel *tunnel)
{
	if (tunnel->tls && !tunnel->is_ended) {
		tls_end(tunnel->tls);
		send_sealed(tunnel);
	}
	if (tunnel->stream && !tunnel->is_ended)
		h2_end(tunnel->stream);
	tunnel->is_ended = true;
}

int tunnel_respond(struct tunnel *tunnel, struct slice head, bool has_body)
{
	tunnel->is_ended |= !has_body;
	return tunnel->stream ? h2_respond_head(tunnel->stream, head, has_body) : -EPIPE;
}

int tunnel_trail(struct tunnel *tunnel, struct slice head)
{
	tunnel->is_ended = true;
	return tunnel->stream ? h2_trail(tunnel->stream, head) : -EPIPE;
}

size_t tunnel_room(const struct tunnel *tunnel)
{
	size_t queued, max = TUNNEL_QUEUE_MAX_BYTES;

	if (!tunnel->stream || tunnel->is_ended)
		return 0;
	if (h2_queued_total(h2_of(tunnel->stream)) > TUNNEL_QUEUES_MAX_BYTES ||
	    (tunnel->is_stream && tunnel->proxy->n_streams > TUNNEL_STREAMS_MANY))
		max = QUEUE_SMALL_BYTES;
	queued = h2_queued(tunnel->stream);
	return queued < max ? max - queued : 0;
}

bool tunnel_pass_on(struct tunnel *tunnel, struct outlet *outlet)
{
	ssize_t count = tunnel->in.len > 0 ? outlet_write(outlet, buf_slice(&tunnel->in)) : 0;

	if (count > 0)
		tunnel_take(tunnel, (size_t)count);
	return count >= 0;
}

/* ---- time ---- */

static void on_timer(uv_timer_t *timer)
{
	struct tunnel *tunnel = timer->data;
	uint64_t now = uv_now(timer->loop);

	tunnel->armed_ms = now < tunnel->deadline_ms ? tunnel->deadline_ms : 0;
	if (tunnel->armed_ms > 0)
		uv_timer_start(timer, on_timer, tunnel->deadline_ms - now, 0);
	else
		tunnel->stage->on_time(tunnel);
}

/* Every piece of data moves the limit: a timer that fires too early is cheaper than one that is moved. */
void tunnel_limit(struct tunnel *tunnel, uint64_t limit_ms)
{
	tunnel->deadline_ms = uv_now(&tunnel->proxy->loop) + limit_ms;
	if (tunnel->armed_ms > 0 && tunnel->armed_ms <= tunnel->deadline_ms)
		return;
	tunnel->armed_ms = tunnel->deadline_ms;
	uv_timer_start(&tunnel->timer, on_timer, limit_ms, 0);
}

/* ---- judging, and what is told of it ---- */

static void begin_record(struct tunnel *tunnel)
{
	const char *via = tunnel->record.via;

	record_done(&tunnel->record);
	tunnel->is_recording = tunnel->is_judged = false;
	tunnel->record.via = via;
	tunnel->record.started_ms = (int64_t)uv_now(&tunnel->proxy->loop);
	memcpy(tunnel->record.host, tunnel->host.text, sizeof(tunnel->record.host));
	tunnel->record.port = tunnel->port;
	if (tunnel->has_address)
		tunnel_set_address(tunnel, &tunnel->address);
}

void tunnel_set_host(struct tunnel *tunnel, const struct host *name, uint16_t port)
{
	tunnel->name = tunnel->host = *name;
	/* The user's own machine, seen from the guest. */
	if (strcmp(name->text, "host.docker.internal") == 0)
		(void)host_parse(slice_text("localhost"), &tunnel->host);
	tunnel->port = port;
	begin_record(tunnel);
}

static void tell_address(struct record *record, const struct in6_addr *address)
{
	bool is_v4 = IN6_IS_ADDR_V4MAPPED(address);

	inet_ntop(is_v4 ? AF_INET : AF_INET6, is_v4 ? address->s6_addr + 12 : address->s6_addr,
		  record->address, sizeof(record->address));
}

void tunnel_set_address(struct tunnel *tunnel, const struct in6_addr *address)
{
	tunnel->has_address = true;
	tunnel->address = *address;
	tell_address(&tunnel->record, address);
}

void tunnel_deny_address(struct tunnel *tunnel, const struct in6_addr *address, const char *reason)
{
	tell_address(&tunnel->record, address);
	tunnel->record.is_for_address = true;
	tunnel_deny(tunnel, reason);
}

static struct slice text_or_none(const char *text)
{
	return text ? slice_text(text) : slice_of("", 0);
}

static void judge(const struct tunnel *tunnel, struct judgement *ret)
{
	const struct policy_request request = {.host = &tunnel->host,
					       .port = tunnel->port,
					       .protocol = tunnel->protocol,
					       .method = text_or_none(tunnel->record.method),
					       .path = text_or_none(tunnel->record.path)};

	policy_judge(&tunnel->proxy->policy, &request, ret);
}

bool tunnel_judge(struct tunnel *tunnel, enum policy_protocol protocol, struct judgement *ret)
{
	static const char *const names[] = {
		[POLICY_HTTP] = "http", [POLICY_TLS] = "tls", [POLICY_TCP] = "tcp"};

	tunnel->protocol = protocol;
	judge(tunnel, ret);
	tunnel->is_judged = ret->verdict == VERDICT_ALLOW;
	tunnel->is_recording = true;
	tunnel->record.protocol = names[protocol];
	tunnel->record.is_denied = !tunnel->is_judged;
	if (!tunnel->proxy->has_policy)
		tunnel->record.reason =
			"nothing is allowed while the rules cannot be read; 'sbx policy ls' says why";
	record_set(&tunnel->record.rule, ret->rule ? slice_text(ret->rule) : slice_of(NULL, 0));
	return tunnel->is_judged;
}

void tunnel_deny(struct tunnel *tunnel, const char *reason)
{
	tunnel->is_recording = true;
	tunnel->is_judged = false;
	tunnel->record.is_denied = true;
	tunnel->record.reason = reason;
}

void tunnel_record(struct tunnel *tunnel)
{
	if (tunnel->is_recording)
		journal_write(tunnel->proxy->journal, &tunnel->record, (int64_t)uv_now(&tunnel->proxy->loop));
	begin_record(tunnel);
}

/* Untouched TLS to where a credential belongs, or one whose credential is gone, does not go on. */
static bool has_credential(const struct tunnel *tunnel)
{
	const struct inject *inject = &tunnel->proxy->inject;
	const char *service = tunnel->record.credential;

	if (service)
		return inject_has(inject, service, &tunnel->name, tunnel->port);
	return tunnel->protocol != POLICY_TLS || tunnel->tls || tunnel->is_stream ||
	       !inject_is_bound(inject, &tunnel->name, tunnel->port);
}

static bool is_still_allowed(const struct tunnel *tunnel)
{
	struct judgement judgement;

	judge(tunnel, &judgement);
	return judgement.verdict == VERDICT_ALLOW && !judgement.needs_inside && has_credential(tunnel) &&
	       (!tunnel->has_address ||
		policy_address_ok(&tunnel->proxy->policy, &tunnel->host, tunnel->port, &tunnel->address));
}

void tunnels_judge(struct proxy *proxy)
{
	struct tunnel *next;

	for (struct tunnel *tunnel = proxy->tunnels; tunnel; tunnel = next) {
		next = tunnel->next;
		if (!tunnel->is_judged || is_still_allowed(tunnel))
			continue;
		tunnel_deny(tunnel, has_credential(tunnel) ? "the policy has changed"
							   : "the credentials for this host have changed");
		tunnel->stage->on_revoked(tunnel);
	}
}

/* ---- life ---- */

void tunnel_set_stage(struct tunnel *tunnel, const struct tunnel_stage *stage, void *data)
{
	tunnel->stage = stage;
	tunnel->data = data;
}

static void free_tunnel(uv_handle_t *handle)
{
	free(handle->data);
}

void tunnel_close(struct tunnel *tunnel)
{
	if (tunnel->stage && tunnel->stage->done)
		tunnel->stage->done(tunnel);
	tunnel_record(tunnel);
	record_done(&tunnel->record);
	if (tunnel->stream) {
		h2_set_data(tunnel->stream, NULL);
		h2_reset(tunnel->stream);
	}
	*tunnel->link = tunnel->next;
	if (tunnel->next)
		tunnel->next->link = tunnel->link;
	tunnel->proxy->n_tunnels--;
	tunnel->proxy->n_streams -= tunnel->is_stream;
	buf_done(&tunnel->in);
	tls_free(tunnel->tls);
	uv_close((uv_handle_t *)&tunnel->timer, free_tunnel);
}

void tunnels_close(struct proxy *proxy, const char *why)
{
	while (proxy->tunnels) {
		if (!proxy->tunnels->record.reason)
			proxy->tunnels->record.reason = why;
		tunnel_close(proxy->tunnels);
	}
}

/* ---- the last answer ---- */

/* What the client still sends is taken and dropped, so that it can send to the end and then read. */
static void drop(struct tunnel *tunnel)
{
	tunnel_take(tunnel, tunnel->in.len);
}

static void ignore(struct tunnel *tunnel)
{
	(void)tunnel;
}

static const struct tunnel_stage leaving = {
	.on_guest = drop, .on_room = ignore, .on_time = tunnel_close, .on_revoked = tunnel_close};

static void start_leaving(struct tunnel *tunnel)
{
	if (tunnel->stage->done)
		tunnel->stage->done(tunnel);
	tunnel_set_stage(tunnel, &leaving, NULL);
}

static void finish_leaving(struct tunnel *tunnel)
{
	tunnel_record(tunnel);
	tunnel_limit(tunnel, LEAVE_MS);
	drop(tunnel);
}

void tunnel_leave(struct tunnel *tunnel, struct slice last)
{
	start_leaving(tunnel);
	if (last.len > 0 && tunnel_send(tunnel, last) < 0) {
		tunnel_close(tunnel);
		return;
	}
	tunnel_end(tunnel);
	finish_leaving(tunnel);
}

void tunnel_break_off(struct tunnel *tunnel)
{
	/* Without TLS the end would look like a proper one, and only a reset does not. */
	if (!tunnel->tls || !tunnel->stream) {
		tunnel_close(tunnel);
		return;
	}
	start_leaving(tunnel);
	if (!tunnel->is_ended)
		h2_end(tunnel->stream);
	tunnel->is_ended = true;
	finish_leaving(tunnel);
}

static int refuse(struct h2_stream *stream, int status)
{
	int r = h2_respond(stream, status);

	h2_end(stream);
	return r;
}

static void link_tunnel(struct tunnel *tunnel)
{
	struct proxy *proxy = tunnel->proxy;

	tunnel->next = proxy->tunnels;
	tunnel->link = &proxy->tunnels;
	if (tunnel->next)
		tunnel->next->link = &tunnel->next;
	proxy->tunnels = tunnel;
	proxy->n_tunnels++;
}

static struct tunnel *make_tunnel(struct proxy *proxy, struct h2_stream *stream)
{
	struct tunnel *tunnel = calloc(1, sizeof(*tunnel));

	if (!tunnel || uv_timer_init(&proxy->loop, &tunnel->timer) < 0) {
		free(tunnel);
		return NULL;
	}
	tunnel->handler.ops = &tunnel_ops;
	tunnel->proxy = proxy;
	tunnel->stream = stream;
	tunnel->timer.data = tunnel;
	h2_set_data(stream, tunnel);
	link_tunnel(tunnel);
	return tunnel;
}

int tunnel_new_inner(const struct tunnel *outer, struct h2_stream *stream, struct tunnel **ret)
{
	struct proxy *proxy = outer->proxy;
	bool has_room = proxy->n_tunnels < TUNNELS_MAX && proxy->n_streams < STREAMS_MAX;
	struct tunnel *tunnel = has_room ? make_tunnel(proxy, stream) : NULL;

	if (!tunnel)
		return -EBUSY;
	tunnel->is_stream = true;
	proxy->n_streams++;
	tunnel->record.via = outer->record.via;
	tunnel_set_host(tunnel, &outer->name, outer->port);
	*ret = tunnel;
	return 0;
}

int tunnel_new(struct proxy *proxy, struct h2_stream *stream, const char *authority)
{
	struct tunnel *tunnel;
	struct host name;
	uint16_t port;

	if (host_parse_port(slice_text(authority), 0, &name, &port) < 0)
		return refuse(stream, STATUS_BAD);
	if (proxy->n_tunnels >= TUNNELS_MAX)
		return refuse(stream, STATUS_BUSY);
	tunnel = make_tunnel(proxy, stream);
	if (!tunnel)
		return -ENOMEM;
	if (h2_respond(stream, STATUS_OK) < 0) {
		tunnel_close(tunnel);
		return 0;
	}
	tunnel->record.via = "transparent";
	tunnel_set_host(tunnel, &name, port);
	opening_start(tunnel);
	return 0;
}
