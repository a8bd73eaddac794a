#include "supervisor/role.h"

#include "base/fd.h"

#include <errno.h>

struct role_end {
	uv_poll_t watch;
	struct role *role;
	int channel;
};

static void on_closed(uv_handle_t *handle)
{
	struct role_end *end = handle->data;

	close(end->channel);
	free(end);
}

static void let_go(struct role *role)
{
	if (!role->end)
		return;
	uv_close((uv_handle_t *)&role->end->watch, on_closed);
	role->end = NULL;
	role->pid = 0;
	if (role->on_gone)
		role->on_gone(role->owner);
}

static void on_channel(uv_poll_t *watch, int status, int events)
{
	struct role_end *end = watch->data;
	struct role *role = end->role;
	struct chan_message message;
	autofd int fd = -1;
	int r = status < 0 ? status : chan_receive(end->channel, &message, &fd);

	(void)events;
	if (r == -EAGAIN)
		return;
	if (r <= 0 || role->on_message(role->owner, &message, &fd) < 0)
		let_go(role);
}

int role_attach(struct role *role, uv_loop_t *loop, int channel, pid_t pid)
{
	struct role_end *end = calloc(1, sizeof(*end));
	int r = end ? fd_set_nonblock(channel) : -ENOMEM;

	let_go(role);
	r = r < 0 ? r : uv_poll_init(loop, &end->watch, channel);
	if (r < 0) {
		close(channel);
		free(end);
		return r;
	}
	end->watch.data = end;
	end->role = role;
	end->channel = channel;
	role->end = end;
	role->pid = pid;
	return uv_poll_start(&end->watch, UV_READABLE, on_channel);
}

int role_tell(const struct role *role, enum chan_kind kind, uint32_t id, uint32_t code, struct slice body,
	      int fd)
{
	return role->end ? chan_send(role->end->channel, kind, id, code, body, fd) : -ENOTCONN;
}
