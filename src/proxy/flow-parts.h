/*
 * What the files of the flow share (flow.h): one exchange of a request and its answer at a time.
 *
 *   flow.c           the client's side of it, and its ends
 *   flow-request.c   reading and judging the request
 *   flow-server.c    the way to the server, which speaks HTTP/1 or HTTP/2
 *   flow-response.c  the answer
 */
#pragma once

#include "proxy/flow.h"
#include "proxy/http1.h"
#include "proxy/reach.h"
#include "proxy/vault.h"
#include "proxy/ways.h"

enum flow_state {
	FLOW_READS_HEAD, /* between exchanges */
	FLOW_CONNECTS,   /* the request was judged, and waits */
	FLOW_ASKS,       /* for the credential that goes into it */
	FLOW_EXCHANGES,
};

struct body {
	enum http1_body kind;
	uint64_t left; /* of HTTP1_LENGTH */
	struct http1_chunks chunks;
	bool is_done;
};

struct flow {
	struct tunnel *tunnel;
	enum flow_state state;
	bool is_proxy;
	bool is_secure;    /* inside TLS, both ways */
	bool is_stream;    /* the client's, of HTTP/2 */
	struct ways *ways; /* where it is secure */
	struct way_wait wait;
	struct reach *reach;
	struct outlet *outlet; /* kept between exchanges with the same host */
	struct host out_host;  /* where it goes */
	uint16_t out_port;
	bool is_by_proxy;                /* and through whom */
	struct trunk *trunk;             /* with ways: that it is or will be a stream of */
	bool is_counted;                 /* among the proxy's streams: the client's is none */
	struct handler server;           /* of that stream */
	struct h2_stream *server_stream; /* NULL before, and when it is over */
	bool server_has_ended;
	bool is_used;    /* the connection was there before */
	struct buf head; /* the request's, written anew, without the credential, until there is an answer */
	struct injection injection;
	struct vault_ask *ask;
	unsigned n_lost;         /* connections that have ended before the request was sent */
	struct inject_scan scan; /* of the request's body */
	struct buf back;         /* from the server, not parsed yet */
	struct body request, response;
	unsigned client_minor, n_interim;
	bool is_for_head, wants_upgrade, is_close_wanted, has_answered;
	bool server_closes, is_rechunked;
	bool is_request_chunked; /* for a server that speaks HTTP/1 */
	bool wants_trailers;
	struct buf trailers; /* of the answer (trailers.h) */
	bool is_deaf;        /* the server takes no more of the request */
	bool has_sent_body;  /* some of it */
	bool has_begun;      /* a head, which has not come to its end */
};

/* ---- flow-request.c ---- */

void flow_read_head(struct flow *flow);

/* The head is in the stream. */
void flow_take_stream(struct flow *flow);
void flow_pump_request(struct flow *flow);

/* ---- flow-response.c ---- */

/* The server has said something, or has ended. */
void flow_on_server(struct flow *flow);

/* What has come of it, in `back`, is passed on. */
void flow_take(struct flow *flow);

/* Whether the request goes to another connection because this one has ended; is_refused: the server has not
 * begun with it. */
bool flow_ask_again(struct flow *flow, bool is_refused);

/* Nothing more comes; is_clean: it has said so. */
void flow_on_server_end(struct flow *flow, bool is_clean);

/* ---- flow-server.c ---- */

/* Gets the connection, and sends the head. */
void flow_go(struct flow *flow);

/* A piece of the request's content, and its end. */
int flow_send_body(struct flow *flow, struct slice data);
int flow_end_body(struct flow *flow);
bool flow_has_room(const struct flow *flow);

/* The connection is of no more use. */
void flow_drop_outlet(struct flow *flow);

/* Gives up whatever there is or is waited for. */
void flow_leave_server(struct flow *flow);

/* ---- flow.c ---- */

void flow_exchange_done(struct flow *flow);

/* The request must not go on: it is denied where there was no answer yet, else the connection breaks off. */
void flow_deny(struct flow *flow, const char *reason);

/* The request cannot be served: an answer where there was none yet, else the connection breaks off. */
void flow_fail(struct flow *flow, unsigned status, const char *why);

/* The client of the proxy has its connection: the tunnel begins again with what was asked for. */
void flow_become_tunnel(struct flow *flow);

/* Content is moved in pieces of at most that. */
enum { FLOW_PIECE_BYTES = 16 << 10 };

/* Takes the next piece of a body from in: its content, and how much of `in` that was. PARSED_MORE: nothing to
 * take. */
enum parsed body_take(struct body *body, struct slice in, struct slice *ret_data, size_t *ret_used);
void body_init(struct body *body, const struct http1_framing *framing);
