/* The bodies of bulk over HTTP/2: all requests at once, each with its own. */
#include "bulk.h"

#include "wire/h2.h"

#include <stdio.h>

enum { READ_BYTES = 64 << 10, DRAIN_BYTES = 256 << 10, HEAD_MAX_BYTES = 4096 };

static const struct h2_limits limits = {.streams = 100,
					.session_window_bytes = 4 << 20,
					.resets = 1,
					.resets_per_second = 1,
					.head_bytes = HEAD_MAX_BYTES};

/* A body each way. */
struct exchange {
	uint64_t sent, to_send, taken, to_take;
	unsigned *n_open; /* client */
	bool is_client;
};

/* Less is asked for than the library takes: what is queued here is nothing to measure. */
static void send_more(struct h2_stream *stream)
{
	struct exchange *exchange = h2_data(stream);
	struct slice piece = body_next(exchange->sent, exchange->to_send - exchange->sent);

	if (piece.len > 0 && h2_send(stream, piece) < 0)
		die("a stream takes no more");
	exchange->sent += piece.len;
	if (exchange->sent == exchange->to_send)
		h2_end(stream);
}

static int on_request(void *owner, struct h2_stream *stream, const char *method, const char *path)
{
	struct exchange *exchange = calloc(1, sizeof(*exchange));
	struct slice head = h2_head(stream);
	const char *at = memmem(head.ptr, head.len, ":path: ", 7);

	(void)owner, (void)method, (void)path;
	if (!exchange || !at)
		die("no path");
	exchange->to_take = path_number(at, 1);
	exchange->to_send = path_number(at, 2);
	h2_set_data(stream, exchange);
	return 0;
}

static void on_response(struct h2_stream *stream, int status)
{
	(void)stream;
	if (status != 200)
		die("no answer");
}

static void on_data(struct h2_stream *stream, struct slice data)
{
	struct exchange *exchange = h2_data(stream);

	body_take(&exchange->taken, data);
	h2_consume(stream, data.len);
}

static void on_end(struct h2_stream *stream)
{
	struct exchange *exchange = h2_data(stream);

	if (exchange->taken != exchange->to_take)
		die("a body has another length");
	if (exchange->is_client)
		return;
	if (h2_respond_head(stream, slice_text(":status: 200\n"), /* has_body= */ true) < 0)
		die("no answer");
	send_more(stream);
}

static void on_close(struct h2_stream *stream, uint32_t error)
{
	struct exchange *exchange = h2_data(stream);

	if (error != 0 || exchange->taken != exchange->to_take)
		die("a stream broke off");
	if (exchange->n_open)
		--*exchange->n_open;
	free(exchange);
}

static const struct h2_ops ops = {.on_request = on_request,
				  .on_response = on_response,
				  .on_data = on_data,
				  .on_end = on_end,
				  .on_drain = send_more,
				  .on_close = on_close};

/* Everything that there is to say, then what the other end says. False at the end. */
static bool turn(struct link *link, struct h2 *h2)
{
	static char bytes[READ_BYTES];
	auto_buf struct buf out = {0};
	size_t count;

	do {
		buf_clear(&out);
		if (h2_drain(h2, &out, DRAIN_BYTES) < 0)
			die("HTTP/2 is broken");
		link_write(link, buf_slice(&out));
	} while (out.len > 0);
	count = link_read(link, bytes, sizeof(bytes));
	return count > 0 && h2_feed(h2, slice_of(bytes, count)) == 0;
}

static void begin(struct h2 *h2, const struct task *task, unsigned *n_open)
{
	struct exchange *exchange = calloc(1, sizeof(*exchange));
	auto_buf struct buf head = {0};
	struct h2_stream *stream;

	if (!exchange || buf_printf(&head,
				    ":method: PUT\n:scheme: https\n:authority: %s\n:path: /%llu/%llu\n"
				    "content-length: %llu\n",
				    task->authority, (unsigned long long)task->up,
				    (unsigned long long)task->down, (unsigned long long)task->up) < 0)
		die("no memory");
	*exchange = (struct exchange){
		.to_send = task->up, .to_take = task->down, .n_open = n_open, .is_client = true};
	if (h2_request_head(h2, buf_slice(&head), NULL, /* has_body= */ true, exchange, &stream) < 0)
		die("no request");
	send_more(stream);
}

void http2_ask(struct link *link, const struct task *task)
{
	unsigned n_open = task->count;
	struct h2 *h2;

	if (h2_new_client_limited(&ops, NULL, &limits, &h2) < 0)
		die("no memory");
	for (unsigned i = 0; i < task->count; i++)
		begin(h2, task, &n_open);
	while (n_open > 0)
		if (!turn(link, h2))
			die("the session broke off");
	h2_free(h2);
}

void http2_serve(struct link *link)
{
	struct h2 *h2;

	if (h2_new_server_limited(&ops, NULL, &limits, &h2) < 0)
		die("no memory");
	while (turn(link, h2))
		;
	exit(0);
}
