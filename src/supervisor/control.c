#include "supervisor/control.h"

#include "base/fd.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

enum { READ_BYTES = 4096, IDLE_LIMIT_MS = 10000 };

struct control_client {
	uv_poll_t watch;
	uv_timer_t limit; /* for a client that says nothing */
	struct control *control;
	struct control_client *next_waiting;
	struct buf in;
	int fd;
	unsigned n_open_handles;
};

static void on_closed(uv_handle_t *handle)
{
	struct control_client *client = handle->data;

	if (--client->n_open_handles > 0)
		return;
	client->control->n_clients--;
	close(client->fd);
	buf_done(&client->in);
	free(client);
}

static void close_client(struct control_client *client)
{
	struct control_client **at = &client->control->waiting;

	while (*at && *at != client)
		at = &(*at)->next_waiting;
	if (*at)
		*at = client->next_waiting;
	uv_close((uv_handle_t *)&client->watch, on_closed);
	uv_close((uv_handle_t *)&client->limit, on_closed);
}

/* An answer is far smaller than a socket's buffer: what does not fit at once is not wanted. */
static void answer(struct control_client *client, json_t *reply)
{
	char *text = reply ? json_dumps(reply, JSON_COMPACT) : NULL;
	auto_buf struct buf line = {0};

	if (text && buf_printf(&line, "%s\n", text) == 0)
		(void)fd_send(client->fd, buf_slice(&line), NULL, 0);
	free(text);
	json_decref(reply);
}

static void refuse(struct control_client *client, const char *why)
{
	answer(client, json_pack("{s:b, s:s}", "ok", 0, "error", why));
	close_client(client);
}

static void begin_exec(struct control_client *client)
{
	struct control *control = client->control;
	struct err err = {.text = ""};

	/* The answer first: from the hand-over on, the connection is the link's. */
	if (control->ops->on_exec(control->owner, -1, &err) < 0) {
		refuse(client, err.text);
		return;
	}
	answer(client, json_pack("{s:b}", "ok", 1));
	(void)control->ops->on_exec(control->owner, client->fd, &err);
	close_client(client);
}

static void begin_stop(struct control_client *client)
{
	struct control *control = client->control;

	uv_timer_stop(&client->limit);
	client->next_waiting = control->waiting;
	control->waiting = client;
	control->ops->on_stop(control->owner);
}

static void obey(struct control_client *client, struct slice line)
{
	struct control *control = client->control;
	json_t *request = json_loadb(line.ptr, line.len, 0, NULL);
	const char *op = json_string_value(json_object_get(request, "op"));

	if (!op) {
		refuse(client, "the request is not an object with an \"op\"");
	} else if (strcmp(op, "status") == 0) {
		answer(client, control->ops->on_status(control->owner));
		close_client(client);
	} else if (strcmp(op, "exec") == 0) {
		begin_exec(client);
	} else if (strcmp(op, "stop") == 0) {
		begin_stop(client);
	} else {
		refuse(client, "there is no such \"op\"");
	}
	json_decref(request);
}

static void on_client(uv_poll_t *watch, int status, int events)
{
	struct control_client *client = watch->data;
	ssize_t count = status < 0 ? status : buf_read_fd(&client->in, client->fd, READ_BYTES);
	const char *end;

	(void)events;
	if (count == -EAGAIN)
		return;
	if (count <= 0) {
		close_client(client);
		return;
	}
	end = memchr(buf_text(&client->in), '\n', client->in.len);
	if (end) {
		uv_poll_stop(watch);
		obey(client, slice_of(buf_text(&client->in), (size_t)(end - buf_text(&client->in))));
	} else if (client->in.len > CONTROL_LINE_MAX_BYTES) {
		refuse(client, "the request is too long");
	}
}

static void on_limit(uv_timer_t *limit)
{
	close_client(limit->data);
}

static bool is_ours(int fd)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 && peer.uid == geteuid();
}

static void add_client(struct control *control, int fd)
{
	struct control_client *client = calloc(1, sizeof(*client));

	if (!client) {
		close(fd);
		return;
	}
	*client = (struct control_client){.control = control, .fd = fd, .n_open_handles = 2};
	control->n_clients++;
	uv_poll_init(control->loop, &client->watch, fd);
	uv_timer_init(control->loop, &client->limit);
	client->watch.data = client->limit.data = client;
	uv_poll_start(&client->watch, UV_READABLE, on_client);
	uv_timer_start(&client->limit, on_limit, IDLE_LIMIT_MS, 0);
}

static void on_connection(uv_poll_t *watch, int status, int events)
{
	struct control *control = watch->data;
	int fd = accept4(control->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)status, (void)events;
	if (fd < 0)
		return;
	if (!is_ours(fd) || control->n_clients >= CONTROL_CLIENTS_MAX)
		close(fd);
	else
		add_client(control, fd);
}

int control_start(struct control *control, uv_loop_t *loop, int listener, const struct control_ops *ops,
		  void *owner)
{
	int r = fd_set_nonblock(listener);

	*control = (struct control){.loop = loop, .listener = listener, .ops = ops, .owner = owner};
	r = r < 0 ? r : uv_poll_init(loop, &control->watch, listener);
	control->watch.data = control;
	return r < 0 ? r : uv_poll_start(&control->watch, UV_READABLE, on_connection);
}

void control_stopped(struct control *control, const char *error)
{
	while (control->waiting) {
		struct control_client *client = control->waiting;

		if (error)
			answer(client, json_pack("{s:b, s:s}", "ok", 0, "error", error));
		else
			answer(client, json_pack("{s:b}", "ok", 1));
		close_client(client);
	}
}
