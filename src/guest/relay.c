/*
 * How it works
 *   fuse --requests--> port   read whole, remembered until they are answered
 *   port --answers--> fuse    cut out of the stream, written whole
 *   port --notices--> a thread (notice.h)
 *   A HELLO on the port begins a session; its first message tells whether the server knows what the last one
 * knew. If it does, everything that is not answered is asked again; else it has failed, and what the kernel
 * has cached and nobody uses is dropped.
 */
#include "guest/relay.h"

#include "base/buf.h"
#include "base/log.h"
#include "guest/ahead.h"
#include "guest/notice.h"
#include "guest/pending.h"
#include "wire/port.h"
#include "wire/share.h"

#include <errno.h>
#include <linux/fuse.h>
#include <string.h>
#include <sys/epoll.h>

enum {
	MESSAGE_MAX_BYTES = (1 << 20) + 8192,
	QUEUED_MAX_BYTES = 4 << 20,
	PORT_READ_BYTES = 32768,
	PORT_WRITE_BYTES = 32768,
	EVENTS = 2,
};

struct relay {
	struct relay_place place;
	struct pending *pending;
	struct notices *notices;
	struct ahead *ahead;
	int epoll;
	struct buf in, stream, out; /* of the port, as it is; its messages; to it */
	bool is_welcome;            /* the session's first message has come */
	bool had_session;
	bool is_fuse_watched, is_over;
	char *message; /* room for one request */
};

/* ---- to the host ---- */

static bool has_answer(uint32_t opcode)
{
	return opcode != FUSE_FORGET && opcode != FUSE_BATCH_FORGET && opcode != FUSE_INTERRUPT;
}

/*
 * The kernel asks for attributes of its own name spaces before the first write to each file, and `ls -l` does
 * for each file. The host has none of these for it, and need not be asked.
 */
static bool answers_itself(const struct relay *relay, const struct fuse_in_header *head, struct slice message)
{
	const size_t at = sizeof(*head) + sizeof(struct fuse_getxattr_in);
	const struct fuse_out_header answer = {
		.len = sizeof(answer), .error = -EOPNOTSUPP, .unique = head->unique};

	if (head->opcode != FUSE_GETXATTR || message.len <= at || strncmp(message.ptr + at, "user.", 5) == 0)
		return false;
	(void)!write(relay->place.fuse, &answer, sizeof(answer));
	return true;
}

static int send_request(struct relay *relay, struct slice message)
{
	struct fuse_in_header head;
	struct pending_request *request = NULL;
	int r = 0;

	memcpy(&head, message.ptr, sizeof(head));
	if (answers_itself(relay, &head, message))
		return 0;
	/* Nobody is interrupted over there, and what is forgotten twice is forgotten. */
	if (head.opcode == FUSE_INTERRUPT || (!has_answer(head.opcode) && !relay->is_welcome))
		return 0;
	if (has_answer(head.opcode))
		r = pending_add(relay->pending, head.unique, head.opcode, message, &request);
	if (r < 0 || !relay->is_welcome)
		return r;
	if (request)
		request->is_sent = true;
	if (head.opcode == FUSE_LOOKUP)
		ahead_looked(relay->ahead, head.nodeid);
	return buf_append(&relay->out, message);
}

/* True while there may be more. */
static int take_request(struct relay *relay)
{
	ssize_t count = read(relay->place.fuse, relay->message, MESSAGE_MAX_BYTES);

	if (count >= (ssize_t)sizeof(struct fuse_in_header))
		return send_request(relay, slice_of(relay->message, (size_t)count));
	/* ENOENT: it was given up while it was being read. ENODEV: nothing is mounted any more. */
	if (count < 0 && (errno == ENOENT || errno == EINTR))
		return 0;
	if (count < 0 && errno == ENODEV)
		relay->is_over = true;
	return count < 0 ? -errno : -EIO;
}

static int write_port(struct relay *relay)
{
	while (relay->out.len > 0) {
		size_t len = relay->out.len < PORT_WRITE_BYTES ? relay->out.len : PORT_WRITE_BYTES;
		ssize_t count = write(relay->place.port, buf_text(&relay->out), len);

		if (count < 0)
			return errno == EAGAIN || errno == EINTR ? 0 : -errno;
		buf_drop(&relay->out, (size_t)count);
	}
	return 0;
}

/* ---- from the host ---- */

static void fail_request(const struct relay *relay, const struct pending_request *request)
{
	const struct fuse_out_header head = {.len = sizeof(head), .error = -EIO, .unique = request->unique};

	(void)!write(relay->place.fuse, &head, sizeof(head));
}

/* What was asked of a server that is lost has failed; what has not been sent yet is sent now. */
static int welcome(struct relay *relay, bool is_continued)
{
	const struct fuse_out_header drop = {.len = sizeof(drop), .error = SHARE_NOTIFY_DROP};
	struct pending_request *request = pending_first(relay->pending);
	int r = 0;

	relay->is_welcome = true;
	if (!is_continued && relay->had_session)
		notices_add(relay->notices, slice_of(&drop, sizeof(drop)));
	relay->had_session = true;
	while (r == 0 && request) {
		struct pending_request *next = request->next;

		if (request->is_sent && !is_continued) {
			fail_request(relay, request);
			(void)pending_remove(relay->pending, request->unique);
		} else {
			r = buf_append(&relay->out, slice_of(request->message, request->len));
			request->is_sent = true;
		}
		request = next;
	}
	return r;
}

static int take_notice(struct relay *relay, const struct fuse_out_header *head, struct slice message)
{
	struct share_welcome body = {.is_continued = 0};

	if (head->error != SHARE_NOTIFY_WELCOME) {
		notices_add(relay->notices, message);
		return 0;
	}
	message = slice_skip(message, sizeof(*head));
	if (message.len >= sizeof(body))
		memcpy(&body, message.ptr, sizeof(body));
	return welcome(relay, body.is_continued != 0);
}

static int take_message(struct relay *relay, struct slice message)
{
	struct fuse_out_header head;

	memcpy(&head, message.ptr, sizeof(head));
	if (head.unique == 0)
		return take_notice(relay, &head, message);
	/* An answer that comes twice, or to what was given up, is of no interest to the kernel either. */
	if (pending_remove(relay->pending, head.unique))
		(void)!write(relay->place.fuse, message.ptr, message.len);
	return 0;
}

static int take_messages(struct relay *relay)
{
	int r = 0;

	while (r == 0 && relay->stream.len >= sizeof(struct fuse_out_header)) {
		uint32_t len;

		memcpy(&len, buf_text(&relay->stream), sizeof(len));
		if (len < sizeof(struct fuse_out_header) || len > MESSAGE_MAX_BYTES)
			return -EPROTO;
		if (relay->stream.len < len)
			return 0;
		r = take_message(relay, slice_of(buf_text(&relay->stream), len));
		buf_drop(&relay->stream, len);
	}
	return r;
}

static int begin_session(struct relay *relay, const struct port_packet *hello)
{
	buf_clear(&relay->stream);
	buf_clear(&relay->out);
	relay->is_welcome = false;
	return port_append_answer(&relay->out, hello->nonce);
}

/* After nonsense, the rest is dropped until the next HELLO. */
static int take_packets(struct relay *relay)
{
	struct port_packet packet;
	enum parsed parsed;
	size_t used;
	int r = 0;

	do {
		parsed = port_parse(buf_slice(&relay->in), &packet, &used);
		if (parsed == PARSED_OK)
			r = packet.kind == PORT_HELLO ? begin_session(relay, &packet)
						      : buf_append(&relay->stream, packet.data);
		buf_drop(&relay->in, used);
	} while (r == 0 && parsed != PARSED_MORE);
	r = r < 0 ? r : take_messages(relay);
	if (r == -EPROTO) {
		log_line("the host's end of %s speaks nonsense", relay->place.target);
		buf_clear(&relay->stream);
		relay->is_welcome = false;
		r = 0;
	}
	return r;
}

static int read_port(struct relay *relay)
{
	ssize_t count;
	int r = 0;

	do {
		count = buf_read_fd(&relay->in, relay->place.port, PORT_READ_BYTES);
		if (count > 0)
			r = take_packets(relay);
	} while (r == 0 && count > 0);
	return r < 0 ? r : count < 0 && count != -EAGAIN ? (int)count : 0;
}

/* ---- the loop ---- */

/* Requests are left with the kernel while the host does not take what it has. */
static void watch_fuse(struct relay *relay)
{
	bool is_wanted = relay->out.len < QUEUED_MAX_BYTES;
	struct epoll_event event = {.events = is_wanted ? EPOLLIN : 0, .data.fd = relay->place.fuse};

	if (is_wanted == relay->is_fuse_watched)
		return;
	relay->is_fuse_watched = is_wanted;
	(void)epoll_ctl(relay->epoll, EPOLL_CTL_MOD, relay->place.fuse, &event);
}

static int turn(struct relay *relay)
{
	struct epoll_event events[EVENTS];
	int count = epoll_wait(relay->epoll, events, EVENTS, -1);
	int r = 0;

	for (int i = 0; i < count; i++) {
		if (events[i].data.fd == relay->place.port && (events[i].events & EPOLLIN))
			r = read_port(relay);
		while (r == 0 && events[i].data.fd == relay->place.fuse && relay->out.len < QUEUED_MAX_BYTES)
			r = take_request(relay);
		if (r == -EAGAIN)
			r = 0;
		if (r < 0)
			return r;
	}
	if (count < 0 && errno != EINTR)
		return -errno;
	r = write_port(relay);
	watch_fuse(relay);
	return r;
}

static int watch(struct relay *relay)
{
	struct epoll_event fuse = {.events = EPOLLIN, .data.fd = relay->place.fuse};
	/* A port whose other end is closed reports that for as long as it lasts. */
	struct epoll_event port = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.fd = relay->place.port};

	relay->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (relay->epoll < 0 || epoll_ctl(relay->epoll, EPOLL_CTL_ADD, fuse.data.fd, &fuse) < 0 ||
	    epoll_ctl(relay->epoll, EPOLL_CTL_ADD, port.data.fd, &port) < 0)
		return -errno;
	relay->is_fuse_watched = true;
	return 0;
}

int relay_run(const struct relay_place *place)
{
	static struct relay relay;
	int r;

	relay.place = *place;
	relay.message = malloc(MESSAGE_MAX_BYTES);
	r = relay.message ? pending_new(&relay.pending) : -ENOMEM;
	r = r < 0 ? r : notices_new(place, &relay.notices);
	r = r < 0 ? r : ahead_new(place->root, &relay.ahead);
	r = r < 0 ? r : watch(&relay);
	while (r == 0)
		r = turn(&relay);
	return relay.is_over ? 0 : r;
}
