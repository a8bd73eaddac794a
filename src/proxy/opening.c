/*
 * How it works
 *   Where a rule for other protocols allows the host and port, the connection is made at once, because there
 * the server may speak first. Elsewhere the client's first bytes say what it is. Nothing is looked up and
 * nobody is connected to before the policy has said yes.
 */
#include "proxy/opening.h"

#include "proxy/denial.h"
#include "proxy/dial.h"
#include "proxy/flow.h"
#include "proxy/hub.h"
#include "proxy/inside.h"
#include "proxy/peek.h"
#include "proxy/relay.h"

enum { FIRST_BYTES_MS = 5000 };

static const char gateway_name[] = "gateway.docker.internal";

enum { GATEWAY_PORT = 3128 };

/* ---- connecting ---- */

static void ignore(struct tunnel *tunnel)
{
	(void)tunnel;
}

static void cancel_dial(struct tunnel *tunnel)
{
	dial_cancel(tunnel->data);
	tunnel->data = NULL;
}

/* What is not plain HTTP can be refused by the answer that its protocol has, or not at all. */
static void refuse(struct tunnel *tunnel)
{
	if (tunnel->protocol == POLICY_TLS)
		tls_deny(tunnel);
	else
		tunnel_close(tunnel);
}

static void revoke_dial(struct tunnel *tunnel)
{
	cancel_dial(tunnel);
	refuse(tunnel);
}

static const struct tunnel_stage dialing = {.on_guest = ignore,
					    .on_room = ignore,
					    .on_time = ignore, /* the dial has its own limit */
					    .on_revoked = revoke_dial,
					    .done = cancel_dial};

static void on_dialed(void *owner, const struct dial_result *result)
{
	struct tunnel *tunnel = owner;
	bool is_ok = result->fd >= 0;

	tunnel->data = NULL;
	if (is_ok && !result->is_by_proxy)
		tunnel_set_address(tunnel, &result->address);
	/* The policy may be another one than the one that the addresses were picked by. */
	if (is_ok && !result->is_by_proxy &&
	    !policy_address_ok(&tunnel->proxy->policy, &tunnel->host, tunnel->port, &result->address)) {
		close(result->fd);
		tunnel_deny(tunnel, "the policy has changed");
		refuse(tunnel);
	} else if (is_ok) {
		relay_start(tunnel, result->fd);
	} else if (result->is_denied) {
		tunnel_deny_address(tunnel, &result->address, result->why);
		refuse(tunnel);
	} else {
		tunnel->record.reason = result->why;
		tunnel_close(tunnel);
	}
}

static void connect_out(struct tunnel *tunnel)
{
	struct dial *dial;

	if (dial_start(tunnel->proxy, &tunnel->host, tunnel->port, /* is_plain_http= */ false, on_dialed,
		       tunnel, &dial) < 0)
		tunnel_close(tunnel);
	else
		tunnel_set_stage(tunnel, &dialing, dial);
}

/* ---- first bytes ---- */

static const char *check_name(const struct tunnel *tunnel, const struct peek *peek)
{
	struct host name;

	if (peek->name[0] == '\0')
		return tunnel->name.is_address ? NULL : "the TLS handshake names no host";
	if (host_parse(slice_text(peek->name), &name) < 0)
		return "the TLS handshake names no valid host";
	if (strcmp(name.text, tunnel->name.text) != 0)
		return "the TLS handshake names another host";
	return NULL;
}

static void begin_inside(struct tunnel *tunnel)
{
	if (tls_protocol(tunnel->tls) == TLS_HTTP2)
		hub_start(tunnel);
	else
		flow_start_secure(tunnel);
}

/* Each request is judged, and told of, for itself. */
static void look_inside(struct tunnel *tunnel)
{
	tunnel->is_recording = tunnel->is_judged = tunnel->record.is_denied = false;
	inside_open(tunnel, &tunnel->name, TLS_HTTP1 | TLS_HTTP2, /* prefers_http1= */ false, begin_inside);
}

static void take_tls(struct tunnel *tunnel, const struct peek *peek)
{
	const char *reason = check_name(tunnel, peek);
	struct judgement judgement;
	bool is_allowed = tunnel_judge(tunnel, POLICY_TLS, &judgement);
	bool may_look = is_allowed || judgement.needs_inside;

	tunnel->record.has_ech = peek->has_ech;
	if (may_look && reason)
		tunnel_deny(tunnel, reason);
	if (!may_look || reason)
		tls_deny(tunnel);
	else if (judgement.needs_inside ||
		 inject_is_bound(&tunnel->proxy->inject, &tunnel->name, tunnel->port))
		look_inside(tunnel);
	else
		connect_out(tunnel);
}

static void take_other(struct tunnel *tunnel, const char *reason)
{
	struct judgement judgement;

	if (tunnel_judge(tunnel, POLICY_TCP, &judgement)) {
		connect_out(tunnel);
		return;
	}
	tunnel_deny(tunnel, reason);
	tunnel_close(tunnel);
}

static void take_first(struct tunnel *tunnel)
{
	struct peek peeked;

	switch (peek(buf_slice(&tunnel->in), &peeked)) {
	case PARSED_MORE:
		if (tunnel->guest_ended)
			take_other(tunnel, "it is neither HTTP nor TLS, and no rule with 'tcp' allows it");
		return;
	case PARSED_BAD:
		take_other(tunnel, "it begins like TLS and is not");
		return;
	case PARSED_OK:
		break;
	}
	switch (peeked.kind) {
	case PEEK_TLS:
		take_tls(tunnel, &peeked);
		return;
	case PEEK_HTTP:
		flow_start(tunnel);
		return;
	case PEEK_OTHER:
		take_other(tunnel, "it is neither HTTP nor TLS, and no rule with 'tcp' allows it");
		return;
	}
}

static void on_guest(struct tunnel *tunnel)
{
	/* A connection that was never used tells nothing. */
	if (tunnel->in.len == 0 && tunnel->guest_ended)
		tunnel_close(tunnel);
	else
		take_first(tunnel);
}

static void on_time(struct tunnel *tunnel)
{
	take_other(tunnel, "the client said nothing, and no rule with 'tcp' allows it");
}

static const struct tunnel_stage opening = {
	.on_guest = on_guest, .on_room = ignore, .on_time = on_time, .on_revoked = tunnel_close};

/* ---- which way ---- */

/* But not to where a credential goes: that is what has to be found out. */
static bool allows_anything(const struct tunnel *tunnel)
{
	const struct policy_request request = {
		.host = &tunnel->host, .port = tunnel->port, .protocol = POLICY_TCP};
	struct judgement judgement;

	policy_judge(&tunnel->proxy->policy, &request, &judgement);
	return judgement.verdict == VERDICT_ALLOW &&
	       !inject_is_bound(&tunnel->proxy->inject, &tunnel->name, tunnel->port);
}

void opening_restart(struct tunnel *tunnel)
{
	tunnel_set_stage(tunnel, &opening, NULL);
	if (allows_anything(tunnel)) {
		take_other(tunnel, NULL);
		return;
	}
	tunnel_limit(tunnel, FIRST_BYTES_MS);
	if (tunnel->in.len > 0 || tunnel->guest_ended)
		on_guest(tunnel);
}

void opening_start(struct tunnel *tunnel)
{
	if (tunnel->port == GATEWAY_PORT && strcmp(tunnel->name.text, gateway_name) == 0)
		flow_start_proxy(tunnel);
	else
		opening_restart(tunnel);
}
