/*
 * The connections to one server that the sandbox's requests inside TLS share: one for all of them where the
 * server speaks HTTP/2, else one at a time for each, kept for the next. They stay for a while when nobody
 * uses them any more, so that programs that follow one another are spared the handshakes.
 */
#pragma once

#include "proxy/reach.h"
#include "proxy/trunk.h"

struct ways;

/* What was found: a trunk, which stays with the ways; or an outlet of whoever asked; or why there is none. */
struct way {
	struct trunk *trunk;
	struct outlet *outlet;
	struct in6_addr address;
	bool is_by_proxy, is_used;
	const char *why;
	bool is_denied;
};

/* Embedded by whoever waits. */
struct way_wait {
	void (*done)(struct way_wait *wait, const struct way *way);
	unsigned protocols;            /* of enum tls_protocol, that will do */
	bool takes_used;               /* an outlet too whose server may just be closing it */
	struct way_wait *next, **link; /* link NULL: it does not wait */
	struct reach *reach;           /* its own */
	struct ways *ways;
};

/* Those of that server. Copies host; whoever is given them says with ways_leave() that they are done with. */
int ways_use(struct proxy *proxy, const struct host *host, uint16_t port, struct ways **ret);
void ways_leave(struct ways *ways);

/* Takes those that there are now in the place of old ones (ways_renew()); whether it has. */
bool ways_follow(struct ways **ways);

/* Something has changed that connections are made by: whoever comes from now on gets others. */
void ways_renew(struct proxy *proxy);

/* wait->done, protocols and takes_used are set. done is called once, perhaps before this returns, and not
 * after way_cancel(). */
void ways_get(struct ways *ways, struct way_wait *wait);
void way_cancel(struct way_wait *wait);

/* Whether a trunk that was found is still there, and takes requests. */
bool ways_has(const struct ways *ways, const struct trunk *trunk);

/* Keeps a connection that has been used to the end; takes outlet. */
void ways_put(struct ways *ways, struct outlet *outlet, const struct in6_addr *address, bool is_by_proxy);
