/*
 * The HTTP proxy that the host itself has to use, and for which names it does not: the host's http_proxy,
 * https_proxy and no_proxy. Pure.
 */
#pragma once

#include "base/buf.h"
#include "policy/host.h"

struct upstream_proxy {
	struct host host;
	uint16_t port;     /* 0: there is none */
	char *credentials; /* owned: the value of Proxy-Authorization, NULL for none */
};

struct upstream {
	struct upstream_proxy http, https;
	char *no_proxy; /* owned */
};

/* Lines "name=value"; unknown names are passed over. -EINVAL for a proxy that cannot be used, and *ret is as
 * it was. */
int upstream_parse(struct slice text, struct upstream *ret);
void upstream_done(struct upstream *upstream);

/* The proxy for connections to that host, NULL for a direct one. */
const struct upstream_proxy *upstream_for(const struct upstream *upstream, const struct host *host,
					  uint16_t port, bool is_plain_http);

/* Appends the request for a connection to that host. */
int upstream_request(struct buf *into, const struct upstream_proxy *proxy, const struct host *host,
		     uint16_t port);
