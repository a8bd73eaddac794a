/*
 * How it works
 *   The client's socket is read only while little is queued for the guest, and the guest's bytes are given
 * back to the window only when the client has taken them: either side that stops holds back just this stream.
 * The client's end of file means that the caller is gone; the stream is reset and the guest ends what it can.
 * The guest's end closes the client's socket after the last byte.
 */
#include "link/client.h"

#include "base/fd.h"
#include "wire/frame.h"

#include <errno.h>
#include <stdlib.h>

enum { READ_BYTES = 65536, QUEUED_MAX_BYTES = 128 << 10 };

struct client {
	struct handler handler;
	uv_poll_t poll;
	struct session *session;
	struct h2_stream *stream; /* NULL once it is over */
	struct buf in;            /* from the guest: less than a frame, or not checked yet */
	struct buf out;           /* whole frames for the client */
	int fd;
	bool is_closing, guest_ended;
};

static void on_socket(uv_poll_t *poll, int status, int events);

static void free_client(uv_handle_t *handle)
{
	struct client *client = handle->data;

	close(client->fd);
	buf_done(&client->in);
	buf_done(&client->out);
	free(client);
}

/*
 * The stream, if it still lives, goes on without a client: ended where the guest has ended it too, which is
 * the rule, else reset. Servers take many resets for an attack (CVE-2023-44487), so they are for callers that
 * leave early.
 */
static void close_client(struct client *client)
{
	if (client->is_closing)
		return;
	client->is_closing = true;
	if (client->stream) {
		h2_set_data(client->stream, NULL);
		if (client->guest_ended)
			h2_end(client->stream);
		else
			h2_reset(client->stream);
		session_flush(client->session);
	}
	uv_close((uv_handle_t *)&client->poll, free_client);
}

static void watch(struct client *client)
{
	int events = UV_DISCONNECT;

	if (client->is_closing)
		return;
	if (client->out.len > 0)
		events |= UV_WRITABLE;
	if (client->stream && h2_queued(client->stream) < QUEUED_MAX_BYTES)
		events |= UV_READABLE;
	uv_poll_start(&client->poll, events, on_socket);
}

static void write_client(struct client *client)
{
	ssize_t count = 1;

	while (client->out.len > 0 && count > 0) {
		count = buf_write_fd(&client->out, client->fd);
		if (count > 0 && client->stream) {
			h2_consume(client->stream, (size_t)count);
			session_flush(client->session);
		}
	}
	if ((count < 0 && count != -EAGAIN) || (client->guest_ended && client->out.len == 0))
		close_client(client);
	else
		watch(client);
}

static void read_client(struct client *client)
{
	auto_buf struct buf bytes = {0};
	ssize_t count = buf_read_fd(&bytes, client->fd, READ_BYTES);

	if (count == -EAGAIN)
		return;
	if (count <= 0 || h2_send(client->stream, buf_slice(&bytes)) < 0) {
		close_client(client);
		return;
	}
	session_flush(client->session);
	watch(client);
}

static void on_socket(uv_poll_t *poll, int status, int events)
{
	struct client *client = poll->data;

	if (status < 0) {
		close_client(client);
		return;
	}
	if (events & UV_WRITABLE)
		write_client(client);
	if (!client->is_closing && client->stream && (events & UV_READABLE))
		read_client(client);
	if (!client->is_closing && (events & UV_DISCONNECT) && !(events & UV_READABLE))
		close_client(client);
}

static void on_response(struct handler *handler, int status)
{
	struct client *client = (struct client *)handler;

	if (status != 200)
		close_client(client);
}

static void refuse(struct client *client)
{
	static const char why[] = "\1the guest sent what is not a frame";

	(void)frame_append(&client->out, FRAME_FAILED, slice_of(why, sizeof(why) - 1));
	client->guest_ended = true;
	if (client->stream) {
		h2_set_data(client->stream, NULL);
		h2_reset(client->stream);
		client->stream = NULL;
	}
	write_client(client);
}

static void on_data(struct handler *handler, struct h2_stream *stream, struct slice data)
{
	struct client *client = (struct client *)handler;
	struct frame frame;
	size_t used = 0, whole = 0;
	enum parsed parsed;

	(void)stream;
	if (buf_append(&client->in, data) < 0) {
		close_client(client);
		return;
	}
	for (;;) {
		parsed = frame_parse(slice_skip(buf_slice(&client->in), whole), &frame, &used);
		if (parsed != PARSED_OK)
			break;
		if (frame_is_for_guest(frame.kind)) {
			parsed = PARSED_BAD;
			break;
		}
		whole += used;
	}
	if (buf_append(&client->out, slice_of(buf_text(&client->in), whole)) < 0)
		parsed = PARSED_BAD;
	buf_drop(&client->in, whole);
	if (parsed == PARSED_BAD)
		refuse(client);
	else if (whole > 0)
		write_client(client);
}

static void on_end(struct handler *handler, struct h2_stream *stream)
{
	struct client *client = (struct client *)handler;

	(void)stream;
	client->guest_ended = true;
	write_client(client);
}

static void on_drain(struct handler *handler)
{
	watch((struct client *)handler);
}

static void on_close(struct handler *handler)
{
	struct client *client = (struct client *)handler;

	client->stream = NULL;
	client->guest_ended = true;
	write_client(client);
}

static const struct handler_ops client_ops = {
	.on_response = on_response,
	.on_data = on_data,
	.on_end = on_end,
	.on_drain = on_drain,
	.on_close = on_close,
};

int client_start(uv_loop_t *loop, struct session *session, int fd, const char *path)
{
	struct client *client = calloc(1, sizeof(*client));
	struct h2 *h2 = session_h2(session);
	int r = client && h2 ? 0 : -ENOTCONN;

	r = r < 0 ? r : fd_set_nonblock(fd);
	r = r < 0 ? r : uv_poll_init(loop, &client->poll, fd);
	if (r < 0) {
		close(fd);
		free(client);
		return r;
	}
	client->handler.ops = &client_ops;
	client->poll.data = client;
	client->fd = fd;
	client->session = session;
	r = h2_request(h2, "POST", path, &client->handler, &client->stream);
	if (r < 0) {
		close_client(client);
		return r;
	}
	session_flush(session);
	watch(client);
	return 0;
}
