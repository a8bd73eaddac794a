#include "share/session.h"

#include "base/fd.h"
#include "share/request.h"
#include "wire/port.h"
#include "wire/share.h"

#include <errno.h>
#include <poll.h>
#include <sys/random.h>

enum { READ_BYTES = 256 << 10, QUEUED_MAX_BYTES = 4 << 20 };

struct session {
	struct share *share;
	int port; /* owned */
	struct buf in, out, reply;
	uint8_t nonce[PORT_NONCE_BYTES];
	bool is_greeted, is_continued;
};

static int welcome(struct session *session)
{
	const struct share_welcome body = {.is_continued = session->is_continued};
	const struct fuse_out_header head = {.len = sizeof(head) + sizeof(body),
					     .error = SHARE_NOTIFY_WELCOME};
	char message[sizeof(head) + sizeof(body)];

	memcpy(message, &head, sizeof(head));
	memcpy(message + sizeof(head), &body, sizeof(body));
	return port_append_data(&session->out, slice_of(message, sizeof(message)));
}

static int find_answer(struct session *session)
{
	uint8_t version = 0;
	size_t used;
	enum parsed parsed = port_find_answer(buf_slice(&session->in), session->nonce, &used, &version);

	buf_drop(&session->in, used);
	if (parsed != PARSED_OK)
		return 0;
	session->is_greeted = true;
	return version == PORT_VERSION ? welcome(session) : -EPROTO;
}

/* Stops where the guest does not take its answers: then it is not read either. */
static int serve_requests(struct session *session)
{
	size_t len;
	int r = 0;

	while (r == 0 && session->out.len < QUEUED_MAX_BYTES) {
		enum parsed parsed = request_frame(buf_slice(&session->in), &len);

		if (parsed != PARSED_OK)
			return parsed == PARSED_BAD ? -EPROTO : 0;
		buf_clear(&session->reply);
		r = share_handle(session->share, slice_of(buf_text(&session->in), len), &session->reply);
		r = r < 0 ? r : port_append_data(&session->out, buf_slice(&session->reply));
		buf_drop(&session->in, len);
	}
	return r;
}

int session_port(const struct session *session)
{
	return session->port;
}

short session_events(const struct session *session)
{
	return (short)((session->out.len < QUEUED_MAX_BYTES ? POLLIN : 0) |
		       (session->out.len > 0 ? POLLOUT : 0));
}

static int take_bytes(struct session *session)
{
	ssize_t count = buf_read_fd(&session->in, session->port, READ_BYTES);

	return count == 0 ? -EPIPE : count < 0 && count != -EAGAIN ? (int)count : 0;
}

int session_turn(struct session *session, short revents)
{
	bool may_read = session_events(session) & POLLIN;
	ssize_t count = 0;
	int r = 0;

	if (may_read && (revents & (POLLIN | POLLHUP | POLLERR)))
		r = take_bytes(session);
	if (r == 0 && !session->is_greeted)
		r = find_answer(session);
	if (r == 0 && session->is_greeted)
		r = serve_requests(session);
	if (r == 0 && session->out.len > 0)
		count = buf_write_fd(&session->out, session->port);
	return r < 0 ? r : count < 0 && count != -EAGAIN ? (int)count : 0;
}

int session_open(struct share *share, int port, bool is_continued, struct session **ret)
{
	struct session *session = calloc(1, sizeof(*session));
	int r = session ? fd_set_nonblock(port) : -ENOMEM;

	if (!session) {
		close(port);
		return r;
	}
	*session = (struct session){.share = share, .port = port, .is_continued = is_continued};
	if (r == 0 && getrandom(session->nonce, sizeof(session->nonce), 0) != sizeof(session->nonce))
		r = -EIO;
	r = r < 0 ? r : port_append_hello(&session->out, session->nonce);
	if (r < 0)
		session_close(session);
	else
		*ret = session;
	return r;
}

void session_close(struct session *session)
{
	if (!session)
		return;
	close(session->port);
	buf_done(&session->in);
	buf_done(&session->out);
	buf_done(&session->reply);
	free(session);
}
