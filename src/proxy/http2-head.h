/*
 * Heads of HTTP/2 (RFC 9113, 8) as heads of HTTP/1, and back: what is judged is read by one parser, whichever
 * way it came. HTTP/2's are text, a line "name: value\n" for each field (wire/h2.h). Pure.
 */
#pragma once

#include "base/buf.h"
#include "proxy/http1-write.h"

/*
 * Appends the request's head as HTTP/1 text, to be parsed. has_body: a body follows; where its length is not
 * said it is shown as chunked. -EINVAL for what is none.
 */
int http2_read_request(struct slice head, bool has_body, struct buf *into);
int http2_read_response(struct slice head, bool has_body, bool is_for_head, struct buf *into);

/* What belongs to a connection of HTTP/1 is left out. The scheme is https. */
int http2_write_request(struct buf *into, const struct http1_head *head, struct slice path, struct slice host,
			const struct http1_shape *shape, bool wants_trailers);
int http2_write_response(struct buf *into, const struct http1_head *head, const struct http1_shape *shape);

/* Fields behind a body, for trailers.h. */
int http2_read_trailers(struct slice head, struct buf *into);

/* An answer of the proxy's own. */
int http2_write_answer(struct buf *into, unsigned status, size_t len);
