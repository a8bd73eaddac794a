#include "share/server.h"

#include "base/fd.h"
#include "base/log.h"
#include "share/session.h"
#include "share/state.h"
#include "share/tell.h"
#include "wire/chan.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>

enum { STATE_MAX_BYTES = 1 << 30, STATE_STEP_BYTES = 1 << 20 };

struct server {
	struct share *share;
	int channel;
	struct session *session; /* NULL while there is no port */
	bool has_state;
};

/* ---- what the supervisor asks ---- */

static int take_guard(struct server *server, const struct chan_message *message, int fd)
{
	return fd < 0 ? share_guard(server->share, slice_of(message->body, message->body_len)) : -EBADMSG;
}

/* From the file's begin, wherever its offset is. */
static int read_state(int fd, struct buf *ret)
{
	for (;;) {
		char *space = buf_space(ret, STATE_STEP_BYTES);
		ssize_t count = space ? pread(fd, space, STATE_STEP_BYTES, (off_t)ret->len) : -1;

		if (count <= 0)
			return !space ? -ENOMEM : count < 0 ? -errno : 0;
		buf_grow(ret, (size_t)count);
		if (ret->len > STATE_MAX_BYTES)
			return -EFBIG;
	}
}

/* With a state that is not good the guest is served as by one whose state is lost. */
static int take_state(struct server *server, const struct chan_message *message, int fd)
{
	auto_buf struct buf state = {0};
	int r;

	(void)message;
	if (fd < 0 || server->has_state || server->session)
		return -EBADMSG;
	r = read_state(fd, &state);
	r = r < 0 ? r : share_load(server->share, buf_slice(&state));
	if (r == -ENOMEM)
		return r;
	if (r < 0)
		log_line("the last server's state is no good: %s", strerror(-r));
	server->has_state = r == 0;
	return 0;
}

static int take_port(struct server *server, const struct chan_message *message, int fd)
{
	bool continues = message->code == SHARE_GUEST_CONTINUES;
	int port;

	if (fd < 0 || (!continues && message->code != SHARE_GUEST_NEW))
		return -EBADMSG;
	session_close(steal(&server->session));
	if (continues)
		share_continue(server->share);
	port = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	return port < 0 ? -errno
			: session_open(server->share, port, continues && server->has_state, &server->session);
}

static int answer(const struct server *server, const struct chan_message *message, int code)
{
	return chan_send(server->channel, CHAN_SHARE_DONE, message->id, (uint32_t)-code, slice_of("", 0), -1);
}

static int take_save(struct server *server, const struct chan_message *message, int fd)
{
	auto_buf struct buf state = {0};
	int r = 0;

	if (fd < 0)
		return -EBADMSG;
	if (server->session)
		r = session_settle(server->session);
	r = r < 0 ? r : share_save(server->share, &state);
	r = r < 0 ? r : fd_write_all(fd, buf_slice(&state));
	return answer(server, message, r);
}

static int take_diff(struct server *server, const struct chan_message *message, int fd)
{
	auto_buf struct buf text = {0};
	int r;

	if (fd < 0)
		return -EBADMSG;
	r = share_diff(server->share, &text);
	r = r < 0 ? r : fd_write_all(fd, buf_slice(&text));
	return answer(server, message, r);
}

typedef int taker(struct server *server, const struct chan_message *message, int fd);

static taker *const takers[CHAN_KINDS] = {
	[CHAN_SHARE_GUARD] = take_guard, [CHAN_SHARE_STATE] = take_state, [CHAN_SHARE_PORT] = take_port,
	[CHAN_SHARE_SAVE] = take_save,   [CHAN_SHARE_DIFF] = take_diff,
};

static int take_message(struct server *server)
{
	struct chan_message message;
	autofd int fd = -1;
	int r = chan_receive(server->channel, &message, &fd);

	if (r <= 0)
		return r == 0 ? -EPIPE : r == -EAGAIN ? 0 : r;
	return takers[message.kind] ? takers[message.kind](server, &message, fd) : -EBADMSG;
}

/* ---- the loop ---- */

/* Another port may come later; without one, there is nobody to serve. */
static void serve(struct server *server, short revents)
{
	int r = session_turn(server->session, revents);
	const char *complaint = tell_complaint(server->share);

	if (complaint)
		log_line("%s", complaint);
	if (r == 0)
		return;
	log_line("the guest's port is closed: %s", strerror(-r));
	session_close(steal(&server->session));
}

/* Of two times, of which -1 is never. */
static int sooner(int left, int right)
{
	return left < 0 || (right >= 0 && right < left) ? right : left;
}

int server_turn(struct server *server)
{
	struct session *session = server->session;
	struct pollfd ready[] = {
		{.fd = server->channel, .events = POLLIN},
		{.fd = session ? session_port(session) : -1, .events = session ? session_events(session) : 0},
		{.fd = share_wake_fd(server->share), .events = POLLIN},
		{.fd = session ? session_tell_fd(session) : -1, .events = POLLIN}};
	int wait_ms = sooner(share_rest(server->share), session ? session_wait_ms(session) : -1);

	if (poll(ready, array_len(ready), wait_ms) < 0)
		return errno == EINTR ? 0 : -errno;
	if (session)
		serve(server, ready[1].revents);
	return ready[0].revents ? take_message(server) : 0;
}

/* What does not fit into the channel now is not told: the guest must not have to wait for that. */
static void tell(void *owner, struct slice note)
{
	const struct server *server = owner;

	(void)chan_send(server->channel, CHAN_SHARE_NOTE, 0, 0, note, -1);
}

int server_new(struct share *share, int channel, struct server **ret)
{
	int r = fd_set_nonblock(channel);
	struct server *server = r < 0 ? NULL : calloc(1, sizeof(*server));

	if (!server)
		return r < 0 ? r : -ENOMEM;
	*server = (struct server){.share = share, .channel = channel};
	share_on_note(share, tell, server);
	*ret = server;
	return 0;
}

void server_free(struct server *server)
{
	if (!server)
		return;
	session_close(server->session);
	free(server);
}
