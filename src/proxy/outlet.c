#include "proxy/outlet.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

enum {
	KEPT_BYTES = 4096,          /* what an empty buffer may go on holding */
	WRITE_MAX_BYTES = 64 << 10, /* put into TLS before the socket has taken what was before */
	HANDSHAKE_READ_BYTES = 16 << 10,
	WAITING_MAX_BYTES = 1 << 20,
	SEALED_READ_MAX_BYTES = 48 << 10, /* the allocator tidies up after larger ones */
};

struct outlet {
	uv_poll_t poll;
	const struct outlet_ops *ops;
	void *owner;
	struct tls *tls; /* owned; NULL: without */
	struct buf waiting;
	int fd;
	int events; /* that are watched */
	bool wants_read, wants_write, is_ending, is_ended, is_closed, is_opening, has_told_end;
	bool has_news; /* something may have come with the end of the handshake */
};

static void on_event(uv_poll_t *poll, int status, int events);

/* What has come already is told of by no event of the socket: the end inside TLS above all. */
static bool has_more(const struct outlet *outlet)
{
	return outlet->wants_read && outlet->tls &&
	       (outlet->has_news || (!outlet->has_told_end && tls_has_ended(outlet->tls)));
}

static void watch(struct outlet *outlet)
{
	bool wants_write = outlet->wants_write || outlet->waiting.len > 0 || has_more(outlet);
	int events = (outlet->wants_read || outlet->is_opening ? UV_READABLE : 0) |
		     (wants_write ? UV_WRITABLE : 0);

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

/* ---- TLS ---- */

/* What the library has for the other end, behind what waits. */
static int send_sealed(struct outlet *outlet)
{
	struct slice bytes = tls_outgoing(outlet->tls);
	int r = outlet->waiting.len > 0 ? -EAGAIN : write_some(outlet, &bytes);

	r = r == -EAGAIN ? 0 : r;
	/* The library answers by itself, and who asks need not read. */
	if (outlet->waiting.len > WAITING_MAX_BYTES)
		r = -ENOBUFS;
	if (r == 0 && bytes.len > 0)
		r = buf_append(&outlet->waiting, bytes);
	tls_sent(outlet->tls);
	return r;
}

static int feed_tls(struct outlet *outlet, size_t limit)
{
	size_t room = limit < SEALED_READ_MAX_BYTES ? limit : SEALED_READ_MAX_BYTES;
	auto_buf struct buf sealed = {0};
	char *space = buf_space(&sealed, room);
	ssize_t count = space ? outlet_receive_raw(outlet, space, room) : -ENOMEM;

	if (count <= 0)
		return count < 0 ? (int)count : -ECONNRESET;
	return tls_feed(outlet->tls, slice_of(space, (size_t)count));
}

static const char *go_on(struct outlet *outlet, int events)
{
	int r = 0;

	if (events & UV_WRITABLE)
		r = write_waiting(outlet);
	if (r == 0 && (events & UV_READABLE))
		r = feed_tls(outlet, HANDSHAKE_READ_BYTES);
	if (r < 0)
		return r == -EAGAIN ? NULL : "the server broke off in the TLS handshake";
	r = tls_read(outlet->tls, NULL);
	if (send_sealed(outlet) < 0)
		return "the server broke off in the TLS handshake";
	return r < 0 ? tls_why(outlet->tls) : NULL;
}

static void shake_hands(struct outlet *outlet, int events)
{
	const char *why = go_on(outlet, events);

	if (!why && !tls_is_open(outlet->tls)) {
		watch(outlet);
		return;
	}
	outlet->is_opening = false;
	outlet->has_news = true;
	watch(outlet);
	outlet->ops->on_open(outlet->owner, why);
}

void outlet_open_tls(struct outlet *outlet, struct tls *tls)
{
	outlet->tls = tls;
	outlet->is_opening = true;
	/* A failure is met again when the answer is read. */
	(void)send_sealed(outlet);
	watch(outlet);
}

struct tls *outlet_tls(const struct outlet *outlet)
{
	return outlet->tls;
}

/* ---- events ---- */

static void on_event(uv_poll_t *poll, int status, int events)
{
	struct outlet *outlet = poll->data;

	/* libuv stops watching a socket that has an error; reading or writing meets it, and takes it off. */
	if (status < 0) {
		events = outlet->events;
		outlet->events = 0;
	}
	if (outlet->is_opening) {
		shake_hands(outlet, events);
		return;
	}
	if (events & UV_WRITABLE)
		on_writable(outlet);
	if (!outlet->is_closed && outlet->wants_read && ((events & UV_READABLE) || has_more(outlet)))
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
	tls_free(outlet->tls);
	outlet->tls = NULL; /* which an event that is under way looks at */
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

ssize_t outlet_receive_raw(struct outlet *outlet, char *into, size_t room)
{
	ssize_t count;

	do
		count = recv(outlet->fd, into, room, 0);
	while (count < 0 && errno == EINTR);
	return count < 0 ? -errno : count;
}

/* The end of the connection is one only where the server has said so inside TLS too. */
static ssize_t receive_sealed(struct outlet *outlet, struct buf *into, size_t limit)
{
	size_t before = into->len;
	int fed = feed_tls(outlet, limit);
	/* What came with the end of the handshake is there already. */
	int r = tls_read(outlet->tls, into);

	outlet->has_news = false;
	if (r == 0 && send_sealed(outlet) < 0)
		r = -EPIPE;
	watch(outlet);
	if (into->len > before)
		return (ssize_t)(into->len - before);
	if (tls_has_ended(outlet->tls)) {
		outlet->has_told_end = true;
		return 0;
	}
	if (r < 0 || fed < 0)
		return r < 0 ? r : fed;
	return -EAGAIN;
}

ssize_t outlet_receive(struct outlet *outlet, struct buf *into, size_t limit)
{
	char *space;
	ssize_t count;

	if (outlet->tls)
		return receive_sealed(outlet, into, limit);
	space = buf_space(into, limit);
	count = space ? outlet_receive_raw(outlet, space, limit) : -ENOMEM;
	if (count > 0)
		buf_grow(into, (size_t)count);
	return count;
}

static int send_inside(struct outlet *outlet, struct slice bytes)
{
	int r = tls_write(outlet->tls, bytes);

	r = r < 0 ? r : send_sealed(outlet);
	watch(outlet);
	return r;
}

int outlet_send(struct outlet *outlet, struct slice bytes)
{
	int r;

	if (outlet->tls)
		return send_inside(outlet, bytes);
	r = outlet->waiting.len > 0 ? -EAGAIN : write_some(outlet, &bytes);
	if (r < 0 && r != -EAGAIN)
		return r;
	r = bytes.len > 0 ? buf_append(&outlet->waiting, bytes) : 0;
	watch(outlet);
	return r;
}

static ssize_t write_inside(struct outlet *outlet, struct slice bytes)
{
	int r;

	outlet->wants_write = bytes.len > 0;
	if (outlet->waiting.len > 0) {
		watch(outlet);
		return 0;
	}
	bytes.len = bytes.len < WRITE_MAX_BYTES ? bytes.len : WRITE_MAX_BYTES;
	r = send_inside(outlet, bytes);
	return r < 0 ? r : (ssize_t)bytes.len;
}

ssize_t outlet_write(struct outlet *outlet, struct slice bytes)
{
	struct slice rest = bytes;
	int r;

	if (outlet->tls)
		return write_inside(outlet, bytes);
	r = outlet->waiting.len > 0 ? -EAGAIN : write_some(outlet, &rest);
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
	if (outlet->tls && !outlet->is_ending) {
		tls_end(outlet->tls);
		(void)send_sealed(outlet);
		watch(outlet);
	}
	outlet->is_ending = true;
	end_if_written(outlet);
}
