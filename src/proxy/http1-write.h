/* HTTP/1 messages as the proxy passes them on: written anew from what was read, so that they can be read in
 * one way. */
#pragma once

#include "base/buf.h"
#include "proxy/http1.h"

/* How a message ends, and what the connection is after it. */
struct http1_shape {
	struct http1_framing framing;
	bool is_close;   /* the connection ends with it */
	bool is_upgrade; /* to WebSocket */
};

/* Whether that field belongs to one connection (RFC 9110, 7.6.1), frames the body, or promises trailers of a
 * request, which go no further. */
bool http1_stays_behind(const struct http1_head *head, struct slice name);

/* What belongs to one connection (RFC 9110, 7.6.1) and what frames the body is left out and written anew. */
int http1_write_request(struct buf *into, const struct http1_head *head, struct slice path, struct slice host,
			const struct http1_shape *shape);
int http1_write_response(struct buf *into, const struct http1_head *head, const struct http1_shape *shape);

/* What goes with a status (RFC 9110, 15); empty where nothing is known. */
const char *http1_reason(unsigned status);

/* One piece of a chunked body; an empty one ends it. */
int http1_write_chunk(struct buf *into, struct slice data);

/* An answer of the proxy's own: plain text, and the connection ends. */
int http1_write_answer(struct buf *into, unsigned status, struct slice text, bool has_no_body);
