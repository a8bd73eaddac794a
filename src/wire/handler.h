/*
 * Who a stream of an HTTP/2 session belongs to, where several kinds share a session: the handler is the first
 * member of its struct and the stream's data. A stream without one (NULL) is drained unheard.
 */
#pragma once

#include "wire/h2.h"

struct handler {
	const struct handler_ops *ops;
};

struct handler_ops {
	void (*on_response)(struct handler *handler, int status); /* client only; may be NULL */
	void (*on_inform)(struct handler *handler);               /* client only; may be NULL */
	void (*on_data)(struct handler *handler, struct h2_stream *stream, struct slice data);
	void (*on_end)(struct handler *handler, struct h2_stream *stream); /* may be NULL */
	void (*on_drain)(struct handler *handler);                         /* may be NULL */
	void (*on_close)(struct handler *handler);
};

/* A session's h2_ops that pass everything on to the streams' handlers. */
#define HANDLER_H2_OPS(request)                                                                              \
	{                                                                                                    \
		.on_request = (request), .on_response = handler_on_response, .on_inform = handler_on_inform, \
		.on_data = handler_on_data, .on_end = handler_on_end, .on_drain = handler_on_drain,          \
		.on_close = handler_on_close                                                                 \
	}

void handler_on_response(struct h2_stream *stream, int status);
void handler_on_inform(struct h2_stream *stream);
void handler_on_data(struct h2_stream *stream, struct slice data);
void handler_on_end(struct h2_stream *stream);
void handler_on_drain(struct h2_stream *stream);
void handler_on_close(struct h2_stream *stream, uint32_t error);
