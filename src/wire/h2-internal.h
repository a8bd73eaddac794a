/* What the files of a session share (h2.h). */
#pragma once

#include "wire/h2.h"

#include <nghttp2/nghttp2.h>

enum { METHOD_MAX_BYTES = 16 };

struct h2 {
	nghttp2_session *session;
	const struct h2_ops *ops; /* borrowed */
	void *owner;
	struct h2_stream *streams; /* all that live, newest first */
	unsigned n_streams;
	size_t stream_window_max;
	bool is_session_window_free;
	size_t queued_total;
	struct buf *into; /* where h2_drain_as() is at it, and until it has how much */
	size_t limit;
	int (*append)(struct buf *into, struct slice bytes);
	unsigned head_bytes;
	bool is_server;
};

struct h2_stream {
	struct h2 *h2;
	struct h2_stream *next, **link;
	int32_t id;
	size_t unconsumed;         /* received and not yet given back to the windows */
	size_t window, n_consumed; /* since it last grew */
	void *data;
	struct buf queue;
	bool ending;   /* no more will be queued */
	bool deferred; /* nghttp2 waits to be told of new bytes */
	bool closed;
	uint32_t error; /* why it is closed */
	bool has_ended;
	bool has_answer;           /* the response itself has come */
	struct buf head, trailers; /* received, and to be sent */
	int status;
	char method[METHOD_MAX_BYTES];
	char path[H2_PATH_MAX_BYTES];
	char authority[H2_AUTHORITY_MAX_BYTES];
};

/* Sends what is queued of the stream. */
nghttp2_data_provider h2_queue_of(struct h2_stream *stream);

/* Client: a stream whose request is made of these; data_provider where has_body. */
int h2_submit(struct h2 *h2, const nghttp2_nv *headers, size_t count, bool has_body, void *data,
	      struct h2_stream **ret);

/* Keeps a field that has come; anything but 0 ends the stream. */
int h2_keep_field(struct h2_stream *stream, struct slice name, struct slice value);

/* Nothing more is queued, but trailers wait: hands them over. */
int h2_submit_trailers(struct h2_stream *stream);
