/*
 * A connection out, to a name or an address that the policy has allowed: its addresses are looked up and
 * judged, and tried side by side (RFC 8305); or the host's own HTTP proxy is asked for it; or it goes to
 * where a person sends that name.
 */
#pragma once

#include "proxy/proxy.h"

struct dial;

struct dial_result {
	int fd;                  /* owned by whoever is told; -1: there is no connection */
	struct in6_addr address; /* where it goes, with is_by_proxy the proxy's; or what is denied */
	const char *why;         /* without a connection: a sentence that lives for ever */
	bool is_denied;          /* the policy lets it go to none of the addresses */
	bool is_by_proxy; /* or to where its person sends that name: not an address that the policy has judged
			   */
};

/* Called once, never before dial_start() has returned, and not after dial_cancel(). */
typedef void (*dial_done)(void *owner, const struct dial_result *result);

/* Borrows host until then. */
int dial_start(struct proxy *proxy, const struct host *host, uint16_t port, bool is_plain_http,
	       dial_done done, void *owner, struct dial **ret);
void dial_cancel(struct dial *dial);
