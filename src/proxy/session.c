#include "proxy/session.h"

#include "base/fd.h"
#include "proxy/tunnel.h"
#include "wire/port.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

enum {
	READ_BYTES = 256 << 10,
	PENDING_MAX_BYTES = 256 << 10,
	ANSWER_MS = 1000, /* for the answer to a HELLO, once the guest says anything */
};

/* Programs that give up connections are no attack, a thousand a second and more are. */
static const struct h2_limits limits = {.streams = TUNNELS_MAX,
					.session_window_bytes = 128 << 20,
					.resets = TUNNELS_MAX,
					.resets_per_second = 1000};

struct session {
	struct proxy *proxy;
	uv_poll_t poll;
	uv_timer_t timer;     /* for the answer */
	uv_prepare_t prepare; /* before the loop waits: one write for all that a turn has queued */
	const struct session_ops *ops;
	struct h2 *h2; /* NULL before the guest has answered */
	struct buf in, out;
	uint8_t nonce[PORT_NONCE_BYTES];
	int fd;
	bool is_gone, waits_to_write;
};

static int on_request(void *owner, struct h2_stream *stream, const char *method, const char *path)
{
	struct session *session = owner;

	(void)path;
	if (strcmp(method, "CONNECT") != 0)
		return -EPROTO;
	return tunnel_new(session->proxy, stream, h2_authority(stream));
}

static const struct h2_ops stream_ops = HANDLER_H2_OPS(on_request);

/* Whatever the guest was in the middle of, it finds the nonce of the new session (wire/port.h). */
static int begin(struct session *session)
{
	h2_free(session->h2);
	session->h2 = NULL;
	uv_timer_stop(&session->timer);
	if (getrandom(session->nonce, sizeof(session->nonce), 0) != sizeof(session->nonce))
		return -EIO;
	return port_append_hello(&session->out, session->nonce);
}

/* An engine that has closed its end, or has ended, needs no other session. */
static void end(struct session *session, int error)
{
	if (session->is_gone)
		return;
	session->is_gone = true;
	uv_poll_stop(&session->poll);
	uv_prepare_stop(&session->prepare);
	uv_timer_stop(&session->timer);
	h2_free(session->h2);
	session->h2 = NULL;
	if (error < 0 && error != -EPIPE && error != -ECONNRESET)
		session->ops->on_failed(error);
}

static void on_port(uv_poll_t *poll, int status, int events);

static void watch(struct session *session, bool wants_write)
{
	if (wants_write == session->waits_to_write || session->is_gone)
		return;
	session->waits_to_write = wants_write;
	uv_poll_start(&session->poll, wants_write ? UV_READABLE | UV_WRITABLE : UV_READABLE, on_port);
}

/* What the port has not taken yet holds back what the tunnels may queue. */
static int drain(struct session *session)
{
	int r = 0;

	if (session->h2)
		r = h2_drain_as(session->h2, &session->out, PENDING_MAX_BYTES, port_append_data);
	/* The reason why (GOAWAY) goes out before the new handshake. */
	if (r < 0 || (session->h2 && h2_is_over(session->h2)))
		r = begin(session);
	return r;
}

static void write_out(struct session *session)
{
	ssize_t count;

	do {
		int r = drain(session);

		count = r < 0 ? r : session->out.len > 0 ? buf_write_fd(&session->out, session->fd) : 0;
	} while (count > 0);
	if (count < 0 && count != -EAGAIN)
		end(session, (int)count);
	else
		watch(session, session->out.len > 0);
}

static void on_prepare(uv_prepare_t *prepare)
{
	struct session *session = prepare->data;

	if (!session->waits_to_write)
		write_out(session);
}

/* What was queued is cut off: the padding of a HELLO is longer than the rest of any packet. */
static void on_no_answer(uv_timer_t *timer)
{
	struct session *session = timer->data;
	int r;

	buf_clear(&session->out);
	r = begin(session);
	if (r < 0)
		end(session, r);
}

static int find_answer(struct session *session)
{
	uint8_t version = 0;
	size_t used;
	enum parsed parsed = port_find_answer(buf_slice(&session->in), session->nonce, &used, &version);
	int r;

	buf_drop(&session->in, used);
	/* A HELLO is lost with the program that has not read it, and the next one begins by breaking a
	 * session. */
	if (parsed != PARSED_OK && !uv_is_active((uv_handle_t *)&session->timer))
		uv_timer_start(&session->timer, on_no_answer, ANSWER_MS, 0);
	if (parsed != PARSED_OK)
		return 0;
	uv_timer_stop(&session->timer);
	/* A guest program of another version is heard no more: there is nothing to say to it. */
	if (version != PORT_VERSION)
		return 0;
	r = h2_new_server_limited(&stream_ops, session, &limits, &session->h2);
	if (r == 0)
		session->ops->on_ready(version);
	return r;
}

static void take(struct session *session)
{
	int r = session->h2 ? 0 : find_answer(session);

	if (r == 0 && session->h2 && session->in.len > 0) {
		r = h2_feed(session->h2, buf_slice(&session->in));
		buf_clear(&session->in);
	}
	if (r < 0)
		r = begin(session);
	if (r < 0)
		end(session, r);
}

static void on_port(uv_poll_t *poll, int status, int events)
{
	struct session *session = poll->data;
	ssize_t count = 0;

	if (status < 0)
		events = UV_READABLE; /* which meets the error itself */
	if (events & UV_READABLE) {
		count = buf_read_fd(&session->in, session->fd, READ_BYTES);
		if (count != -EAGAIN && count <= 0) {
			end(session, (int)count);
			return;
		}
		take(session);
	}
	if (!session->is_gone && (events & UV_WRITABLE))
		write_out(session);
}

int session_new(struct proxy *proxy, int fd, const struct session_ops *ops, struct session **ret)
{
	struct session *session = calloc(1, sizeof(*session));
	int r = session ? fd_set_nonblock(fd) : -ENOMEM;

	if (r == 0) {
		*session = (struct session){.proxy = proxy, .fd = fd, .ops = ops};
		r = uv_poll_init(&proxy->loop, &session->poll, fd);
	}
	r = r < 0 ? r : uv_prepare_init(&proxy->loop, &session->prepare);
	r = r < 0 ? r : uv_timer_init(&proxy->loop, &session->timer);
	r = r < 0 ? r : begin(session);
	if (r < 0) {
		close(fd);
		free(session);
		return r;
	}
	session->poll.data = session->prepare.data = session->timer.data = session;
	uv_prepare_start(&session->prepare, on_prepare);
	uv_poll_start(&session->poll, UV_READABLE, on_port);
	*ret = session;
	return 0;
}
