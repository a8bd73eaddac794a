#include "proxy/outlet.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

enum { KEPT_BYTES = 4096 /* what an empty buffer may go on holding */ };

struct outlet {
	uv_poll_t poll;
	const struct outlet_ops *ops;
	void *owner;
	struct buf waiting;
	int fd;
	int events; /* that are watched */
	bool wants_read, wants_write, is_ending, is_ended, is_closed;
};

static void on_event(uv_poll_t *poll, int status, int events);

static void watch(struct outlet *outlet)
{
	bool wants_write = outlet->wants_write || outlet->waiting.len > 0;
	int events = (outlet->wants_read ? UV_READABLE : 0) | (wants_write ? UV_WRITABLE : 0);

	if (outlet->is_closed || events == outlet->events)
		return;
	outlet->events = events;
	if (events)
		uv_poll_start(&outlet->poll, events, on_event);
	else
		uv_poll_stop(&outlet->poll);
}

static void end_if_written(struct outlet *outlet)
{
	if (!outlet->is_ending || outlet->is_ended || outlet->waiting.len > 0)
		return;
	outlet->is_ended = true;
	(void)shutdown(outlet->fd, SHUT_WR);
}

static int write_some(struct outlet *outlet, struct slice *bytes)
{
	while (bytes->len > 0) {
		ssize_t count = send(outlet->fd, bytes->ptr, bytes->len, MSG_NOSIGNAL);

		if (count < 0 && errno == EINTR)
			continue;
		if (count < 0)
			return -errno;
		*bytes = slice_skip(*bytes, (size_t)count);
	}
	return 0;
}

static int write_waiting(struct outlet *outlet)
{
	struct slice rest = buf_slice(&outlet->waiting);
	int r = write_some(outlet, &rest);

	buf_drop(&outlet->waiting, outlet->waiting.len - rest.len);
	if (outlet->waiting.len == 0 && outlet->waiting.room > KEPT_BYTES)
		buf_done(&outlet->waiting);
	return r == -EAGAIN ? 0 : r;
}

static void on_writable(struct outlet *outlet)
{
	int r = write_waiting(outlet);

	if (r < 0)
		buf_done(&outlet->waiting);
	outlet->wants_write = false;
	end_if_written(outlet);
	watch(outlet);
	if (r < 0)
		outlet->ops->on_broken(outlet->owner);
	else if (outlet->waiting.len == 0)
		outlet->ops->on_writable(outlet->owner);
}

static void on_event(uv_poll_t *poll, int status, int events)
{
	struct outlet *outlet = poll->data;

	/* libuv stops watching a socket that has an error; reading or writing meets it, and takes it off. */
	if (status < 0) {
		events = outlet->events;
		outlet->events = 0;
	}
	if (events & UV_WRITABLE)
		on_writable(outlet);
	if (!outlet->is_closed && outlet->wants_read && (events & UV_READABLE))
		outlet->ops->on_readable(outlet->owner);
	watch(outlet);
}

int outlet_new(uv_loop_t *loop, int fd, const struct outlet_ops *ops, void *owner, struct outlet **ret)
{
	struct outlet *outlet = calloc(1, sizeof(*outlet));
	int r = outlet ? uv_poll_init(loop, &outlet->poll, fd) : -ENOMEM;

	if (r < 0) {
		close(fd);
		free(outlet);
		return r;
	}
	outlet->poll.data = outlet;
	outlet->fd = fd;
	outlet_set_owner(outlet, ops, owner);
	*ret = outlet;
	return 0;
}

static void on_closed(uv_handle_t *handle)
{
	free(handle->data);
}

void outlet_free(struct outlet *outlet)
{
	if (!outlet)
		return;
	outlet->is_closed = true;
	uv_poll_stop(&outlet->poll);
	close(outlet->fd);
	buf_done(&outlet->waiting);
	uv_close((uv_handle_t *)&outlet->poll, on_closed);
}

void outlet_set_owner(struct outlet *outlet, const struct outlet_ops *ops, void *owner)
{
	outlet->ops = ops;
	outlet->owner = owner;
}

void outlet_read(struct outlet *outlet, bool wanted)
{
	outlet->wants_read = wanted;
	watch(outlet);
}

ssize_t outlet_receive(struct outlet *outlet, char *into, size_t room)
{
	ssize_t count;

	do
		count = recv(outlet->fd, into, room, 0);
	while (count < 0 && errno == EINTR);
	return count < 0 ? -errno : count;
}

int outlet_send(struct outlet *outlet, struct slice bytes)
{
	int r = outlet->waiting.len > 0 ? -EAGAIN : write_some(outlet, &bytes);

	if (r < 0 && r != -EAGAIN)
		return r;
	r = bytes.len > 0 ? buf_append(&outlet->waiting, bytes) : 0;
	watch(outlet);
	return r;
}

ssize_t outlet_write(struct outlet *outlet, struct slice bytes)
{
	struct slice rest = bytes;
	int r = outlet->waiting.len > 0 ? -EAGAIN : write_some(outlet, &rest);

	if (r < 0 && r != -EAGAIN)
		return r;
	outlet->wants_write = rest.len > 0;
	watch(outlet);
	return (ssize_t)(bytes.len - rest.len);
}

size_t outlet_waiting(const struct outlet *outlet)
{
	return outlet->waiting.len;
}

void outlet_end(struct outlet *outlet)
{
	outlet->is_ending = true;
	end_if_written(outlet);
}
