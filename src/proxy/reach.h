/*
 * A connection to a server that HTTP is to be spoken with: dialled, and inside TLS where that is wanted, with
 * a server that has proved who it is.
 */
#pragma once

#include "proxy/dial.h"
#include "proxy/outlet.h"
#include "proxy/tls.h"

struct reach;

struct reach_result {
	struct outlet
		*outlet; /* owned by whoever is told, who sets its owner; NULL: there is no connection */
	struct in6_addr address;
	const char *why;
	bool is_denied, is_by_proxy; /* as in dial.h */
	enum tls_protocol protocol;
};

typedef void (*reach_done)(void *owner, const struct reach_result *result);

/*
 * protocols: of enum tls_protocol, what is offered inside TLS; 0: no TLS. done is called once, never before
 * this has returned, and not after reach_cancel(). Borrows host until then.
 */
int reach_start(struct proxy *proxy, const struct host *host, uint16_t port, unsigned protocols,
		reach_done done, void *owner, struct reach **ret);
void reach_cancel(struct reach *reach);
