#include "supervisor/control.h"

#include "base/fd.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>

enum { READ_BYTES = 4096, IDLE_LIMIT_MS = 10000 };

struct control_client {
	uv_poll_t watch;
	uv_timer_t limit; /* for a client that says nothing */
	struct control *control;
	struct control_client *next, **link;
	struct buf in;
	struct control_request request;
	int fd;
	unsigned n_open_handles;
	bool is_closing;
};

static void on_closed(uv_handle_t *handle)
{
	struct control_client *client = handle->data;

	if (--client->n_open_handles > 0)
		return;
	client->control->n_clients--;
	close(client->fd);
	for (size_t i = 0; i < client->request.n_fds; i++)
		if (client->request.fds[i] >= 0)
			close(client->request.fds[i]);
	buf_done(&client->in);
	free(client);
}

static void close_client(struct control_client *client)
{
	if (client->is_closing)
		return;
	client->is_closing = true;
	*client->link = client->next;
	if (client->next)
		client->next->link = client->link;
	uv_close((uv_handle_t *)&client->watch, on_closed);
	uv_close((uv_handle_t *)&client->limit, on_closed);
}

/* An answer is far smaller than a socket's buffer: what does not fit at once is not wanted. */
static void answer(struct control_client *client, json_t *reply, int fd)
{
	char *text = reply ? json_dumps(reply, JSON_COMPACT) : NULL;
	auto_buf struct buf line = {0};

	if (text && buf_printf(&line, "%s\n", text) == 0)
		(void)fd_send(client->fd, buf_slice(&line), &fd, fd >= 0 ? 1 : 0);
	free(text);
	json_decref(reply);
}

static void refuse(struct control_client *client, const char *why)
{
	answer(client, json_pack("{s:b, s:s}", "ok", 0, "error", why), -1);
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
	answer(client, json_pack("{s:b}", "ok", 1), -1);
	(void)control->ops->on_exec(control->owner, client->fd, &err);
	close_client(client);
}

/* One that has only said all that it will is still there to hear the answer. */
static void on_end(uv_poll_t *watch, int status, int events)
{
	struct control_client *client = watch->data;
	struct control *control = client->control;
	struct pollfd now = {.fd = client->fd};

	(void)events;
	if (status == 0 && poll(&now, 1, 0) == 0) {
		uv_poll_stop(watch);
		return;
	}
	close_client(client);
	control->ops->on_gone(control->owner, client->request.ticket);
}

static void wait_for_answer(struct control_client *client)
{
	if (!client->is_closing)
		uv_poll_start(&client->watch, UV_DISCONNECT, on_end);
}

static void obey(struct control_client *client, struct slice line)
{
	struct control *control = client->control;
	json_t *body = json_loadb(line.ptr, line.len, JSON_REJECT_DUPLICATES, NULL);
	const char *op = json_string_value(json_object_get(body, "op"));

	uv_timer_stop(&client->limit);
	if (!op) {
		refuse(client, "the request is not an object with an \"op\"");
	} else if (strcmp(op, "exec") == 0) {
		begin_exec(client);
	} else {
		client->request.op = op;
		client->request.body = body;
		client->request.ticket = ++control->last_ticket;
		control->ops->on_request(control->owner, &client->request);
		wait_for_answer(client);
	}
	json_decref(body);
}

static struct control_client *find(struct control *control, uint64_t ticket)
{
	struct control_client *client = control->clients;

	while (client && client->request.ticket != ticket)
		client = client->next;
	return client;
}

void control_answer(struct control *control, uint64_t ticket, json_t *reply, int fd)
{
	struct control_client *client = find(control, ticket);

	if (!client) {
		json_decref(reply);
		return;
	}
	answer(client, reply ? reply : json_pack("{s:b}", "ok", 1), fd);
	close_client(client);
}

void control_refuse(struct control *control, uint64_t ticket, const char *why)
{
	struct control_client *client = find(control, ticket);

	if (client)
		refuse(client, why);
}

/* The descriptors come with the first bytes. */
static ssize_t read_request(struct control_client *client)
{
	struct control_request *request = &client->request;
	char bytes[READ_BYTES];
	size_t count = 0;
	ssize_t len = fd_receive(client->fd, bytes, sizeof(bytes), request->fds,
				 request->n_fds > 0 ? 0 : CONTROL_FDS_MAX, &count);

	request->n_fds += count;
	return len > 0 && buf_append(&client->in, slice_of(bytes, (size_t)len)) < 0 ? -ENOMEM : len;
}

static void on_client(uv_poll_t *watch, int status, int events)
{
	struct control_client *client = watch->data;
	ssize_t count = status < 0 ? status : read_request(client);
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
	*client = (struct control_client){.control = control,
					  .fd = fd,
					  .n_open_handles = 2,
					  .next = control->clients,
					  .link = &control->clients};
	if (client->next)
		client->next->link = &client->next;
	control->clients = client;
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
