/*
 * One connection of the guest: a stream of its session. What is known of it decides who looks after it (its
 * stage): the opening until there is something to judge, then a relay of bytes, a flow of HTTP requests, or
 * an answer that says why not.
 */
#pragma once

#include "proxy/journal.h"
#include "proxy/outlet.h"
#include "proxy/proxy.h"
#include "proxy/tls.h"
#include "wire/handler.h"

enum {
	TUNNELS_MAX = 10000,
	TUNNEL_QUEUE_MAX_BYTES = 128 << 10, /* for the guest, of one tunnel */
	TUNNEL_QUEUES_MAX_BYTES = 64 << 20, /* of all, beyond which each may have only a little */
	TUNNEL_STREAMS_MANY = 500,          /* inside TLS: each has a queue of its own before its tunnel's */
	TUNNEL_IDLE_MS = 15 * 60 * 1000,
};

struct tunnel;

struct tunnel_stage {
	/* Bytes of the guest are in `in`, or it has ended. */
	void (*on_guest)(struct tunnel *tunnel);
	/* The guest has taken what was queued for it. */
	void (*on_room)(struct tunnel *tunnel);
	/* The time set with tunnel_limit() is over. */
	void (*on_time)(struct tunnel *tunnel);
	/* The policy has changed, and what was judged would be denied now. */
	void (*on_revoked)(struct tunnel *tunnel);
	/* The tunnel goes; may be NULL. */
	void (*done)(struct tunnel *tunnel);
};

struct tunnel {
	struct handler handler;
	struct proxy *proxy;
	struct h2_stream *stream; /* NULL once it is over */
	struct tunnel *next, **link;
	const struct tunnel_stage *stage;
	void *data; /* the stage's own */
	uv_timer_t timer;
	uint64_t deadline_ms, armed_ms;
	struct buf in;   /* from the guest, not taken yet */
	struct tls *tls; /* owned: `in` and what is sent are inside it; NULL where they are not */
	size_t sealed;   /* of the guest's bytes, what was not given back to its window; only with tls */
	bool guest_ended, is_ended;
	bool is_stream; /* of an HTTP/2 session inside another tunnel's TLS */
	bool is_deaf;   /* the outside takes no more: what comes is dropped */

	struct host name; /* as the guest has it, in canonical form */
	struct host host; /* as it is judged: "localhost" for what the guest calls host.docker.internal */
	uint16_t port;

	enum policy_protocol protocol;
	bool is_judged;    /* what the record says was allowed, for as long as the policy has it so */
	bool is_recording; /* there is something to tell */
	bool has_address;
	struct in6_addr address; /* of the connection out */
	struct record record;
};

/* Answers the stream: 200, or 400 for an authority that is none. */
int tunnel_new(struct proxy *proxy, struct h2_stream *stream, const char *authority);

/* A stream of the HTTP/2 session inside outer's TLS. Its head is in the stream (h2_head()), and nothing is
 * answered yet. */
int tunnel_new_inner(const struct tunnel *outer, struct h2_stream *stream, struct tunnel **ret);

/* Writes the record and frees it; a stream that has not ended both ways is reset. */
void tunnel_close(struct tunnel *tunnel);

/* Asks the policy anew for everything that lives. */
void tunnels_judge(struct proxy *proxy);

/* All of them; why is a literal. */
void tunnels_close(struct proxy *proxy, const char *why);

/* ---- for stages ---- */

void tunnel_set_stage(struct tunnel *tunnel, const struct tunnel_stage *stage, void *data);

/* Calls on_time when that long nothing has set another limit. */
void tunnel_limit(struct tunnel *tunnel, uint64_t limit_ms);

/* The first count bytes of `in` are done with: the guest may send as many more. */
void tunnel_take(struct tunnel *tunnel, size_t count);

/*
 * Goes on inside TLS: what has come so far, and what follows, is the client's. Takes tls. The handshake goes
 * on by itself; on_guest follows.
 */
int tunnel_open_tls(struct tunnel *tunnel, struct tls *tls);

/* -EAGAIN while the handshake with the client is not done. */
int tunnel_send(struct tunnel *tunnel, struct slice bytes);
void tunnel_end(struct tunnel *tunnel);

/* Of a stream: the response's head (wire/h2.h); without a body it has ended. And what comes behind a body, as
 * its end. */
int tunnel_respond(struct tunnel *tunnel, struct slice head, bool has_body);
int tunnel_trail(struct tunnel *tunnel, struct slice head);

/* How many bytes may be queued for the guest now. */
size_t tunnel_room(const struct tunnel *tunnel);

/* Judges the record's method and path, if it has any, and keeps what decided in it. True if it is allowed. */
bool tunnel_judge(struct tunnel *tunnel, enum policy_protocol protocol, struct judgement *ret);

/* A host that is asked for from now on: an HTTP client of the proxy names one in each request. */
void tunnel_set_host(struct tunnel *tunnel, const struct host *name, uint16_t port);

/* Where the connection out goes, for the record. */
/* What it leads to is denied. */
void tunnel_deny_address(struct tunnel *tunnel, const struct in6_addr *address, const char *reason);
void tunnel_set_address(struct tunnel *tunnel, const struct in6_addr *address);

/* Writes the record, if there is one, and begins another for the same host. */
void tunnel_record(struct tunnel *tunnel);

/* The record is that it was denied, for that reason where no rule decided. */
void tunnel_deny(struct tunnel *tunnel, const char *reason);

/* Sends the last bytes, ends, and drops what still comes until the guest has ended too. Ends the stage. */
void tunnel_leave(struct tunnel *tunnel, struct slice last);

/* The outside has broken off. What was sent reaches the guest where it is inside TLS: there the end that
 * follows is none (RFC 8446, 6.1). Else the stream is reset. Ends the stage. */
void tunnel_break_off(struct tunnel *tunnel);

/* Writes whatever of `in` the outlet takes. False: the outlet is broken. */
bool tunnel_pass_on(struct tunnel *tunnel, struct outlet *outlet);
