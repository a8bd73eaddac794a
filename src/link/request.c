#include "link/request.h"

#include "base/fd.h"
#include "base/text.h"
#include "wire/chan.h"
#include "wire/control.h"

#include <errno.h>
#include <stdlib.h>

struct request {
	struct handler handler;
	int channel;
	uint32_t id;
	int status;
	struct buf reply;
};

static void on_response(struct handler *handler, int status)
{
	((struct request *)handler)->status = status;
}

static void on_data(struct handler *handler, struct h2_stream *stream, struct slice data)
{
	struct request *request = (struct request *)handler;

	if (request->reply.len + data.len < CHAN_BODY_MAX_BYTES)
		(void)buf_append(&request->reply, data);
	h2_consume(stream, data.len);
}

static void on_close(struct handler *handler)
{
	struct request *request = (struct request *)handler;
	auto_buf struct buf shown = {0};

	(void)text_printable(&shown, buf_slice(&request->reply), true);
	if (shown.len >= CHAN_BODY_MAX_BYTES)
		buf_clear(&shown);
	(void)chan_send(request->channel, CHAN_REPLY, request->id, (uint32_t)request->status,
			buf_slice(&shown), -1);
	buf_done(&request->reply);
	free(request);
}

static const struct handler_ops request_ops = {
	.on_response = on_response, .on_data = on_data, .on_close = on_close};

/* "POST /resume\nbody": splits and checks the first line. */
static int split(struct slice in, char method[8], char path[64], struct slice *ret_body)
{
	const char *end = memchr(in.ptr, '\n', in.len);
	const char *space = end ? memchr(in.ptr, ' ', (size_t)(end - in.ptr)) : NULL;

	if (!space || space - in.ptr >= 8 || end - space > 63)
		return -EINVAL;
	memcpy(method, in.ptr, (size_t)(space - in.ptr));
	method[space - in.ptr] = '\0';
	memcpy(path, space + 1, (size_t)(end - space - 1));
	path[end - space - 1] = '\0';
	*ret_body = slice_skip(in, (size_t)(end + 1 - in.ptr));
	return 0;
}

/* Where the body is a file, all of it is read from its beginning. */
static int read_body(struct slice text, int file, struct buf *ret)
{
	int r = buf_append(ret, text);

	if (r < 0 || file < 0)
		return r;
	return lseek(file, 0, SEEK_SET) < 0 ? -errno : fd_read_all(file, REQUEST_FILE_MAX_BYTES, ret);
}

int request_start(struct session *session, int channel, uint32_t id, struct slice text, int file)
{
	struct request *request = calloc(1, sizeof(*request));
	auto_buf struct buf whole = {0};
	struct slice body;
	struct h2 *h2 = session_h2(session);
	struct h2_stream *stream;
	char method[8], path[64];
	int r = request && h2 ? split(text, method, path, &body) : -ENOTCONN;

	r = r < 0 ? r : read_body(body, file, &whole);
	if (r == 0) {
		request->handler.ops = &request_ops;
		request->channel = channel;
		request->id = id;
		r = h2_request(h2, method, path, &request->handler, &stream);
	}
	if (r < 0) {
		free(request);
		return r;
	}
	r = h2_send(stream, buf_slice(&whole));
	h2_end(stream);
	session_flush(session);
	return r;
}
