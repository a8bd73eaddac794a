#include "proxy/reach.h"

#include <errno.h>
#include <stdlib.h>

enum { HANDSHAKE_MS = 10000 };

struct reach {
	struct proxy *proxy;
	const struct host *host;
	unsigned protocols;
	reach_done done;
	void *owner;
	struct dial *dial;
	struct outlet *outlet;
	struct reach_result result;
	uv_timer_t timer;
};

static void free_reach(uv_handle_t *handle)
{
	free(handle->data);
}

static void let_go(struct reach *reach)
{
	dial_cancel(reach->dial);
	outlet_free(reach->outlet);
	uv_close((uv_handle_t *)&reach->timer, free_reach);
}

static void tell(struct reach *reach, const char *why)
{
	struct reach_result result = reach->result;
	reach_done done = reach->done;
	void *owner = reach->owner;

	result.why = why;
	if (!why) {
		result.outlet = reach->outlet;
		reach->outlet = NULL;
	}
	let_go(reach);
	done(owner, &result);
}

/* ---- TLS ---- */

static void on_open(void *owner, const char *why)
{
	struct reach *reach = owner;

	if (!why)
		reach->result.protocol = tls_protocol(outlet_tls(reach->outlet));
	tell(reach, why);
}

static void on_time(uv_timer_t *timer)
{
	tell(timer->data, "the server does not come to the end of its TLS handshake");
}

static const struct outlet_ops handshaking = {.on_open = on_open};

static void begin_tls(struct reach *reach)
{
	struct tls *tls;

	outlet_set_owner(reach->outlet, &handshaking, reach);
	uv_timer_start(&reach->timer, on_time, HANDSHAKE_MS, 0);
	if (tls_connect(reach->proxy->tls, reach->host, reach->protocols, &tls) < 0)
		tell(reach, "TLS could not be begun");
	else
		outlet_open_tls(reach->outlet, tls);
}

/* ---- the connection ---- */

static void on_dialed(void *owner, const struct dial_result *result)
{
	struct reach *reach = owner;

	reach->dial = NULL;
	reach->result = (struct reach_result){.address = result->address,
					      .is_denied = result->is_denied,
					      .is_by_proxy = result->is_by_proxy,
					      .protocol = TLS_HTTP1};
	if (result->fd < 0)
		tell(reach, result->why);
	else if (outlet_new(&reach->proxy->loop, result->fd, &handshaking, reach, &reach->outlet) < 0)
		tell(reach, "there is no memory for a connection");
	else if (reach->protocols)
		begin_tls(reach);
	else
		tell(reach, NULL);
}

int reach_start(struct proxy *proxy, const struct host *host, uint16_t port, unsigned protocols,
		reach_done done, void *owner, struct reach **ret)
{
	struct reach *reach = calloc(1, sizeof(*reach));
	int r = reach ? uv_timer_init(&proxy->loop, &reach->timer) : -ENOMEM;

	if (r < 0) {
		free(reach);
		return r;
	}
	reach->proxy = proxy;
	reach->host = host;
	reach->protocols = protocols;
	reach->done = done;
	reach->owner = owner;
	reach->timer.data = reach;
	r = dial_start(proxy, host, port, /* is_plain_http= */ protocols == 0, on_dialed, reach,
		       &reach->dial);
	if (r < 0)
		let_go(reach);
	else
		*ret = reach;
	return r;
}

void reach_cancel(struct reach *reach)
{
	if (reach)
		let_go(reach);
}
