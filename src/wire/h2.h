/*
 * One HTTP/2 session (RFC 9113) as a multiplexer over a byte stream that somebody else reads and writes. No
 * I/O of its own. Flow-control windows are consumed by hand: a stream that is not read stalls alone.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"

#include <stdint.h>

enum {
	H2_STREAM_WINDOW_BYTES = 256 << 10,
	H2_SESSION_WINDOW_BYTES = 16 << 20,
	H2_STREAMS_MAX = 1024,
	H2_PATH_MAX_BYTES = 512,
	H2_AUTHORITY_MAX_BYTES = 288, /* a host name, and a port */
};

/* What one side grants the other; only a server grants streams and resets. */
struct h2_limits {
	unsigned streams;
	unsigned session_window_bytes; /* of all streams together */
	/* Its window is given back as bytes come, so that a stream that is not read holds back none of the
	 * others: their own windows are all that does. */
	bool is_session_window_free;
	unsigned resets,
		resets_per_second; /* a client that resets more is told to go away (CVE-2023-44487) */
	unsigned head_bytes; /* heads are kept as they are, up to so much (h2_head()); 0: they are not */
};

struct h2;
struct h2_stream;

/*
 * What the session tells its owner. Callbacks may send on, end and reset streams, but not free the session. A
 * stream is valid until on_close returns.
 */
struct h2_ops {
	/* Server: a request has come. Answer with h2_respond(), now or later. A non-zero return refuses the
	 * stream: nothing was done for it, and the peer may ask again (RFC 9113, 8.7). */
	int (*on_request)(void *owner, struct h2_stream *stream, const char *method, const char *path);
	/* Client: the response's status has come. */
	void (*on_response)(struct h2_stream *stream, int status);
	/* Client: a head before the response (100 and its like) has come. May be NULL. */
	void (*on_inform)(struct h2_stream *stream);
	/* Body bytes. They count against the window until h2_consume(). */
	void (*on_data)(struct h2_stream *stream, struct slice data);
	/* The peer will send no more on this stream. */
	void (*on_end)(struct h2_stream *stream);
	/* Everything queued for sending has been taken by the session: time to queue more. May be NULL. */
	void (*on_drain)(struct h2_stream *stream);
	/* The stream is over; error is 0 or an HTTP/2 error code. */
	void (*on_close)(struct h2_stream *stream, uint32_t error);
};

/* Borrows ops; owner goes to on_request. Gives *ret; free with h2_free(), which closes every stream. */
int h2_new_client(const struct h2_ops *ops, void *owner, struct h2 **ret);
int h2_new_server(const struct h2_ops *ops, void *owner, struct h2 **ret);
int h2_new_client_limited(const struct h2_ops *ops, void *owner, const struct h2_limits *limits,
			  struct h2 **ret);
int h2_new_server_limited(const struct h2_ops *ops, void *owner, const struct h2_limits *limits,
			  struct h2 **ret);
void h2_free(struct h2 *h2);

/* Bytes from the peer. A protocol error is negative: close the session. */
int h2_feed(struct h2 *h2, struct slice bytes);

/* Nothing will be read or written any more: the peer, or its mistake, has ended the session. */
bool h2_is_over(const struct h2 *h2);

/* Appends bytes for the peer until `into` holds about limit bytes or there is nothing to send. */
int h2_drain(struct h2 *h2, struct buf *into, size_t limit);

/* The same, where `into` wants its bytes in a form of its own, such as packets. */
int h2_drain_as(struct h2 *h2, struct buf *into, size_t limit,
		int (*append)(struct buf *into, struct slice bytes));

/* Client: opens a stream. data becomes the stream's data. */
int h2_request(struct h2 *h2, const char *method, const char *path, void *data, struct h2_stream **ret);

/*
 * Client: opens a stream to authority, "name:port", with the method CONNECT (RFC 9113, 8.5). The stream is a
 * connection once the response is a 200; what is sent before that is on its way already.
 */
int h2_connect(struct h2 *h2, const char *authority, void *data, struct h2_stream **ret);

/* Server: what the request has as :authority; of CONNECT it is all there is. */
const char *h2_authority(const struct h2_stream *stream);

/* Server: the response's status; the body follows with h2_send(). */
int h2_respond(struct h2_stream *stream, int status);

/*
 * Heads as text, a line "name: value\n" for each field, those that begin with ':' first; for HTTP itself,
 * where sessions are made with head_bytes. method, path and authority are not kept apart then.
 */

/* What has come: in on_request, on_response and on_inform the head; in on_end what came behind the body, if
 * anything. */
struct slice h2_head(const struct h2_stream *stream);

/* The peer sends nothing more on this stream. */
bool h2_has_ended(const struct h2_stream *stream);

/* has_body: h2_send() and h2_end() or h2_trail() follow. A request's field of the name `secret` (any case;
 * NULL: none) is kept in no table of the session's (RFC 7541, 7.1.3). */
int h2_request_head(struct h2 *h2, struct slice head, const char *secret, bool has_body, void *data,
		    struct h2_stream **ret);
int h2_respond_head(struct h2_stream *stream, struct slice head, bool has_body);

/* A head before the response. */
int h2_inform(struct h2_stream *stream, struct slice head);

/* In the place of h2_end(): fields behind the body. */
int h2_trail(struct h2_stream *stream, struct slice head);

/* Client: the server takes no more requests. */
bool h2_is_leaving(const struct h2 *h2);

/* What the windows of streams may grow to from now on, while their readers keep up: for peers that are far
 * away. Not, at first; what has grown stays. */
void h2_widen_to(struct h2 *h2, size_t bytes);

/* Client: as many requests are under way as the server takes at once; more would wait. */
bool h2_is_full(const struct h2 *h2);

/* Client, in on_close: the server has not begun with it (RFC 9113, 8.7). */
bool h2_is_refused(const struct h2_stream *stream);

/* How many streams live. */
unsigned h2_count(const struct h2 *h2);

/* Queues body bytes, copied. h2_queued() says how many wait, so that the caller can hold back. */
int h2_send(struct h2_stream *stream, struct slice bytes);
size_t h2_queued(const struct h2_stream *stream);

/* The same, of all streams together. */
size_t h2_queued_total(const struct h2 *h2);

/* The same without the copy: room for count bytes, or NULL; then how many of them were filled. */
char *h2_space(struct h2_stream *stream, size_t count);
void h2_fill(struct h2_stream *stream, size_t count);

/* No more body will be sent after what is queued. */
void h2_end(struct h2_stream *stream);

/* Gives received bytes back to the windows. */
void h2_consume(struct h2_stream *stream, size_t count);

/* Ends the stream at once, both ways (RST_STREAM, CANCEL). on_close follows. */
void h2_reset(struct h2_stream *stream);

void *h2_data(const struct h2_stream *stream);
void h2_set_data(struct h2_stream *stream, void *data);
struct h2 *h2_of(const struct h2_stream *stream);
