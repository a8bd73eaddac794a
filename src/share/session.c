#include "share/session.h"

#include "base/fd.h"
#include "share/outgoing.h"
#include "share/request.h"
#include "share/tell.h"
#include "wire/port.h"
#include "wire/share.h"

#include <errno.h>
#include <poll.h>
#include <sys/random.h>

enum { READ_BYTES = 256 << 10, QUEUED_MAX_BYTES = 4 << 20 };

struct session {
	struct share *share;
	int port; /* owned */
	struct buf in, reply;
	struct outgoing out;
	uint8_t nonce[PORT_NONCE_BYTES];
	bool is_greeted, is_continued;
};

static int welcome(struct session *session)
{
	const struct share_welcome body = {.is_continued = session->is_continued};
	const struct fuse_out_header head = {.len = sizeof(head) + sizeof(body),
					     .error = SHARE_NOTIFY_WELCOME};
	auto_buf struct buf message = {0};
	int r = buf_append(&message, slice_of(&head, sizeof(head)));

	r = r < 0 ? r : buf_append(&message, slice_of(&body, sizeof(body)));
	return r < 0 ? r : outgoing_add(&session->out, &message);
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

/* Stops where the guest does not take its answers, or all threads are busy: then it is not read either. */
static bool may_serve(const struct session *session)
{
	return session->out.len < QUEUED_MAX_BYTES && !share_is_busy(session->share);
}

static int serve_requests(struct session *session)
{
	size_t len;
	int r = 0;

	while (r >= 0 && may_serve(session)) {
		enum parsed parsed = request_frame(buf_slice(&session->in), &len);

		if (parsed != PARSED_OK)
			return parsed == PARSED_BAD ? -EPROTO : 0;
		r = share_handle(session->share, slice_of(buf_text(&session->in), len), &session->reply);
		r = r < 0 ? r : outgoing_add(&session->out, &session->reply);
		buf_drop(&session->in, len);
	}
	return r < 0 ? r : 0;
}

static int collect(struct session *session, bool waits)
{
	int r;

	do {
		r = share_collect(session->share, waits, &session->reply);
		if (r > 0 && outgoing_add(&session->out, &session->reply) < 0)
			r = -ENOMEM;
	} while (r > 0);
	return r;
}

int session_settle(struct session *session)
{
	return collect(session, /* waits= */ true);
}

int session_port(const struct session *session)
{
	return session->port;
}

short session_events(const struct session *session)
{
	return (short)((may_serve(session) ? POLLIN : 0) | (outgoing_is_empty(&session->out) ? 0 : POLLOUT));
}

static int take_bytes(struct session *session)
{
	ssize_t count = buf_read_fd(&session->in, session->port, READ_BYTES);

	return count == 0 ? -EPIPE : count < 0 && count != -EAGAIN ? (int)count : 0;
}

static bool may_tell(const struct session *session)
{
	return session->is_greeted && session->out.len < QUEUED_MAX_BYTES;
}

int session_tell_fd(const struct session *session)
{
	return may_tell(session) ? tell_fd(session->share) : -1;
}

int session_wait_ms(const struct session *session)
{
	return may_tell(session) ? tell_wait_ms(session->share) : -1;
}

/* After the answers that were made before something happened, and before those that are made after it. */
static int tell(struct session *session)
{
	int r = may_tell(session) ? tell_turn(session->share, &session->reply) : 0;

	return r < 0 ? r : outgoing_add(&session->out, &session->reply);
}

int session_turn(struct session *session, short revents)
{
	int r = collect(session, /* waits= */ false);

	if (r == 0 && may_serve(session) && (revents & (POLLIN | POLLHUP | POLLERR)))
		r = take_bytes(session);
	if (r == 0 && !session->is_greeted)
		r = find_answer(session);
	if (r == 0 && session->is_greeted)
		r = serve_requests(session);
	r = r < 0 ? r : tell(session);
	return r < 0 ? r : outgoing_write(&session->out, session->port);
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
	r = r < 0 ? r : port_append_hello(&session->out.raw, session->nonce);
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
	/* What threads are still at would be answered to whoever comes next. */
	(void)session_settle(session);
	close(session->port);
	buf_done(&session->in);
	outgoing_done(&session->out);
	buf_done(&session->reply);
	free(session);
}
