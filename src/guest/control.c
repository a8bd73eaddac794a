#include "guest/control.h"

#include "guest/environment.h"
#include "guest/exec.h"
#include "guest/port.h"
#include "guest/resume.h"
#include "guest/shutdown.h"
#include "guest/stats.h"
#include "guest/task.h"
#include "guest/trust.h"
#include "wire/control.h"

#include <errno.h>

/* A request whose body is read whole before it is obeyed. */
struct request {
	struct handler handler;
	struct guest *guest;
	struct h2_stream *stream;
	struct buf body;
	size_t max_bytes;
	int (*obey)(struct slice body);
	bool is_answered;
};

static void answer(struct request *request, int status)
{
	request->is_answered = true;
	(void)h2_respond(request->stream, status);
	h2_end(request->stream);
}

static void on_data(struct handler *handler, struct h2_stream *stream, struct slice data)
{
	struct request *request = (struct request *)handler;

	h2_consume(stream, data.len);
	if (request->is_answered)
		return;
	if (request->body.len + data.len > request->max_bytes || buf_append(&request->body, data) < 0)
		answer(request, 413);
}

static void on_end(struct handler *handler, struct h2_stream *stream)
{
	struct request *request = (struct request *)handler;

	(void)stream;
	if (!request->is_answered)
		answer(request, request->obey(buf_slice(&request->body)) < 0 ? 400 : 204);
}

static void on_close(struct handler *handler)
{
	struct request *request = (struct request *)handler;

	buf_done(&request->body);
	free(request);
}

static int begin_request(struct guest *guest, struct h2_stream *stream, size_t max_bytes,
			 int (*obey)(struct slice body))
{
	static const struct handler_ops ops = {.on_data = on_data, .on_end = on_end, .on_close = on_close};
	struct request *request = calloc(1, sizeof(*request));

	if (!request)
		return -ENOMEM;
	*request = (struct request){
		.handler = {&ops}, .guest = guest, .stream = stream, .max_bytes = max_bytes, .obey = obey};
	h2_set_data(stream, &request->handler);
	return 0;
}

static int on_request(void *owner, struct h2_stream *stream, const char *method, const char *path)
{
	struct guest *guest = owner;

	if (strcmp(method, "POST") == 0 && strcmp(path, CONTROL_EXEC) == 0)
		return exec_new(guest, stream);
	if (strcmp(method, "POST") == 0 && strcmp(path, CONTROL_RESUME) == 0)
		return begin_request(guest, stream, CONTROL_BODY_MAX_BYTES, resume_apply);
	if (strcmp(method, "POST") == 0 && strcmp(path, CONTROL_TRUST) == 0)
		return begin_request(guest, stream, CONTROL_TRUST_MAX_BYTES, trust_apply);
	if (strcmp(method, "POST") == 0 && strcmp(path, CONTROL_ENVIRONMENT) == 0)
		return begin_request(guest, stream, CONTROL_BODY_MAX_BYTES, environment_apply);
	if (strcmp(method, "POST") == 0 && strcmp(path, CONTROL_SHUTDOWN) == 0)
		return shutdown_begin(guest, stream);
	if (strcmp(method, "POST") == 0 && strcmp(path, CONTROL_QUIESCE) == 0)
		return task_begin(guest, stream, "quiesce");
	if (strcmp(method, "POST") == 0 && strcmp(path, CONTROL_SETTLE) == 0)
		return task_begin(guest, stream, "settle");
	if (strcmp(method, "POST") == 0 && strcmp(path, CONTROL_MOUNT) == 0)
		return task_begin(guest, stream, "mount");
	if (strcmp(method, "POST") == 0 && strcmp(path, CONTROL_UMOUNT) == 0)
		return task_begin(guest, stream, "umount");
	if (strcmp(method, "GET") == 0 && strcmp(path, CONTROL_STATS) == 0)
		return stats_answer(stream);
	return -ENOENT;
}

static int on_begin(void *owner, struct h2 **ret)
{
	static const struct h2_ops ops = HANDLER_H2_OPS(on_request);

	return h2_new_server(&ops, owner, ret);
}

int control_new(struct guest *guest, int fd)
{
	static const struct port_ops ops = {.on_begin = on_begin};

	return port_new(guest->loop, fd, &ops, guest, &guest->port);
}
