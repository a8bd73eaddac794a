#include "link/session.h"

#include "base/fd.h"
#include "wire/port.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

enum { READ_BYTES = 65536, PENDING_MAX_BYTES = 256 << 10 };

struct session {
	uv_poll_t poll;
	uv_prepare_t prepare; /* runs once before the loop waits: one write for all that a turn has queued */
	const struct session_ops *ops;
	void *owner;
	struct h2 *h2;
	struct buf in, out;
	uint8_t nonce[PORT_NONCE_BYTES];
	int fd;
	bool is_lost;
};

static int on_request(void *owner, struct h2_stream *stream, const char *method, const char *path)
{
	(void)owner, (void)stream, (void)method, (void)path;
	return -EPROTO; /* the guest asks nothing on this port */
}

static const struct h2_ops stream_ops = HANDLER_H2_OPS(on_request);

static void end(struct session *session, const char *why, bool is_port_closed)
{
	if (session->is_lost)
		return;
	session->is_lost = true;
	uv_poll_stop(&session->poll);
	uv_prepare_stop(&session->prepare);
	session->ops->on_lost(session->owner, why, is_port_closed);
}

static void lose(struct session *session, const char *why)
{
	end(session, why, false);
}

static void lose_port(struct session *session)
{
	end(session, "the control port was closed", true);
}

/* HTTP/2 bytes become packets; what the port has not taken yet holds back what streams may queue. */
static int pack(struct session *session)
{
	auto_buf struct buf plain = {0};
	int r;

	if (!session->h2 || session->out.len >= PENDING_MAX_BYTES)
		return 0;
	r = h2_drain(session->h2, &plain, PENDING_MAX_BYTES);
	return r < 0 ? r : port_append_data(&session->out, buf_slice(&plain));
}

static void on_port(uv_poll_t *poll, int status, int events);

static void write_out(struct session *session)
{
	ssize_t count;
	int r;

	do {
		r = pack(session);
		if (r < 0) {
			lose(session, "the HTTP/2 session failed");
			return;
		}
		count = session->out.len > 0 ? buf_write_fd(&session->out, session->fd) : 0;
	} while (count > 0);
	if (count < 0 && count != -EAGAIN)
		lose_port(session);
	else
		uv_poll_start(&session->poll, session->out.len > 0 ? UV_READABLE | UV_WRITABLE : UV_READABLE,
			      on_port);
}

static void on_prepare(uv_prepare_t *prepare)
{
	struct session *session = prepare->data;

	uv_prepare_stop(prepare);
	write_out(session);
}

void session_flush(struct session *session)
{
	if (!session->is_lost)
		uv_prepare_start(&session->prepare, on_prepare);
}

static void find_answer(struct session *session)
{
	uint8_t version = 0;
	size_t used;
	enum parsed parsed = port_find_answer(buf_slice(&session->in), session->nonce, &used, &version);

	buf_drop(&session->in, used);
	if (parsed != PARSED_OK)
		return;
	if (version != PORT_VERSION) {
		lose(session, "the guest program speaks another version");
		return;
	}
	if (h2_new_client(&stream_ops, session, &session->h2) < 0)
		lose(session, "out of memory");
	else
		session->ops->on_ready(session->owner, version);
}

static void on_port(uv_poll_t *poll, int status, int events)
{
	struct session *session = poll->data;
	ssize_t count = 0;

	if (status < 0) {
		lose_port(session);
		return;
	}
	if (events & UV_READABLE)
		count = buf_read_fd(&session->in, session->fd, READ_BYTES);
	if ((events & UV_READABLE) && count != -EAGAIN && count <= 0) {
		lose_port(session);
		return;
	}
	if (!session->h2)
		find_answer(session);
	if (session->h2 && session->in.len > 0) {
		if (h2_feed(session->h2, buf_slice(&session->in)) < 0)
			lose(session, "the guest broke the HTTP/2 protocol");
		buf_clear(&session->in);
	}
	if (!session->is_lost)
		session_flush(session);
}

int session_start(uv_loop_t *loop, int fd, const struct session_ops *ops, void *owner, struct session **ret)
{
	struct session *session = calloc(1, sizeof(*session));
	int r;

	if (!session)
		return -ENOMEM;
	*session = (struct session){.fd = fd, .ops = ops, .owner = owner};
	*ret = session;
	if (getrandom(session->nonce, sizeof(session->nonce), 0) != sizeof(session->nonce))
		return -EIO;
	r = fd_set_nonblock(fd);
	r = r < 0 ? r : port_append_hello(&session->out, session->nonce);
	r = r < 0 ? r : uv_prepare_init(loop, &session->prepare);
	r = r < 0 ? r : uv_poll_init(loop, &session->poll, fd);
	if (r < 0)
		return r;
	session->poll.data = session->prepare.data = session;
	session_flush(session);
	return 0;
}

struct h2 *session_h2(struct session *session)
{
	return session->is_lost ? NULL : session->h2;
}
