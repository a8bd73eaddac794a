/*
 * door AUTHORITY: the guest's end of sbx-proxy, for programs of this machine: each connection to a port of
 * the loopback interface, which it prints, becomes one to AUTHORITY (name:port). Descriptor 3 is the network
 * port. One thread, epoll, no pauses.
 */
#include "base/fd.h"
#include "wire/h2.h"
#include "wire/port.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>

enum { PORT_FD = 3, READ_BYTES = 64 << 10, EVENTS_MAX = 256, QUEUE_MAX_BYTES = 256 << 10 };

struct connection {
	int fd;
	struct h2_stream *stream; /* NULL once it is over */
	struct buf out;           /* to the program */
	bool has_ended;           /* nothing more comes from the proxy */
	bool is_closed, is_due;
	struct connection *next, *next_due; /* of those that are to be freed, and to be written to */
};

static struct {
	int poller, listener;
	uint16_t port;
	const char *authority;
	struct h2 *h2;
	struct buf in, out;
	struct connection *gone, *due;
} door;

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "door: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void watch(int operation, int fd, uint32_t events, void *data)
{
	struct epoll_event event = {.events = events, .data = {.ptr = data}};

	if (epoll_ctl(door.poller, operation, fd, &event) < 0)
		die("epoll_ctl");
}

/* ---- programs ---- */

static void close_connection(struct connection *connection)
{
	if (connection->is_closed)
		return;
	connection->is_closed = true;
	close(connection->fd);
	if (connection->stream) {
		h2_set_data(connection->stream, NULL);
		h2_reset(connection->stream);
	}
	connection->next = door.gone;
	door.gone = connection;
}

static void watch_connection(struct connection *connection)
{
	bool wants_read = connection->stream && h2_queued(connection->stream) < QUEUE_MAX_BYTES;

	if (!connection->is_closed)
		watch(EPOLL_CTL_MOD, connection->fd,
		      (wants_read ? EPOLLIN : 0) | (connection->out.len > 0 ? EPOLLOUT : 0), connection);
}

/* What the program has taken may be sent anew. */
static void write_out(struct connection *connection)
{
	while (connection->out.len > 0) {
		ssize_t count = buf_write_fd(&connection->out, connection->fd);

		if (count == -EAGAIN)
			return;
		if (count < 0) {
			close_connection(connection);
			return;
		}
		if (connection->stream)
			h2_consume(connection->stream, (size_t)count);
	}
	if (connection->has_ended)
		close_connection(connection);
}

static void make_due(struct connection *connection)
{
	if (connection->is_due)
		return;
	connection->is_due = true;
	connection->next_due = door.due;
	door.due = connection;
}

static void on_program(struct connection *connection, uint32_t events)
{
	static char bytes[READ_BYTES];
	ssize_t count = -1;

	if (connection->is_closed)
		return;
	if (events & EPOLLOUT)
		write_out(connection);
	if ((events & ~EPOLLOUT) && connection->stream && !connection->is_closed) {
		count = read(connection->fd, bytes, sizeof(bytes));
		if (count > 0)
			(void)h2_send(connection->stream, slice_of(bytes, (size_t)count));
		else if (count == 0 || errno != EAGAIN)
			close_connection(connection);
	}
	watch_connection(connection);
}

static void accept_one(void)
{
	struct connection *connection = calloc(1, sizeof(*connection));
	int on = 1;

	if (!connection)
		die("memory");
	connection->fd = accept4(door.listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (connection->fd < 0 || h2_connect(door.h2, door.authority, connection, &connection->stream) < 0)
		die("accept");
	setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	watch(EPOLL_CTL_ADD, connection->fd, EPOLLIN, connection);
}

/* ---- the proxy ---- */

static void on_response(struct h2_stream *stream, int status)
{
	(void)stream, (void)status;
}

static void on_data(struct h2_stream *stream, struct slice data)
{
	struct connection *connection = h2_data(stream);

	if (!connection) {
		h2_consume(stream, data.len);
		return;
	}
	if (buf_append(&connection->out, data) < 0)
		die("memory");
	make_due(connection);
}

static void on_end(struct h2_stream *stream)
{
	struct connection *connection = h2_data(stream);

	if (!connection)
		return;
	connection->has_ended = true;
	make_due(connection);
}

static void on_drain(struct h2_stream *stream)
{
	struct connection *connection = h2_data(stream);

	if (connection)
		watch_connection(connection);
}

static void on_close(struct h2_stream *stream, uint32_t error)
{
	struct connection *connection = h2_data(stream);

	(void)error;
	if (!connection)
		return;
	connection->stream = NULL;
	connection->has_ended = true;
	make_due(connection);
}

static void begin_session(const uint8_t nonce[PORT_NONCE_BYTES])
{
	static const struct h2_ops ops = {.on_response = on_response,
					  .on_data = on_data,
					  .on_end = on_end,
					  .on_drain = on_drain,
					  .on_close = on_close};

	if (port_append_answer(&door.out, nonce) < 0 || h2_new_client(&ops, NULL, &door.h2) < 0)
		die("h2");
	/* Whoever has started this waits for the line. */
	printf("%u\n", door.port);
	fflush(stdout);
}

static void take_packets(void)
{
	struct port_packet packet;
	size_t used, done = 0;
	enum parsed parsed;

	do {
		parsed = port_parse(slice_skip(buf_slice(&door.in), done), &packet, &used);
		if (parsed == PARSED_BAD)
			die("port");
		if (parsed == PARSED_OK && packet.kind == PORT_HELLO)
			begin_session(packet.nonce);
		else if (parsed == PARSED_OK && h2_feed(door.h2, packet.data) < 0)
			die("h2_feed");
		done += used;
	} while (parsed != PARSED_MORE);
	buf_drop(&door.in, done);
}

static void on_port(uint32_t events)
{
	ssize_t count = events & EPOLLIN ? buf_read_fd(&door.in, PORT_FD, READ_BYTES * 4) : -EAGAIN;

	if (count <= 0 && count != -EAGAIN)
		exit(0);
	take_packets();
}

static void flush_session(void)
{
	while (door.h2 && h2_drain(door.h2, &door.out, READ_BYTES * 4) == 0 && door.out.len > 0)
		if (buf_write_fd(&door.out, PORT_FD) < 0)
			break;
	watch(EPOLL_CTL_MOD, PORT_FD, door.out.len > 0 ? EPOLLIN | EPOLLOUT : EPOLLIN, &door);
}

/* Once for all that a turn has brought. */
static void write_due(void)
{
	while (door.due) {
		struct connection *connection = door.due;

		door.due = connection->next_due;
		connection->is_due = false;
		if (!connection->is_closed)
			write_out(connection);
		watch_connection(connection);
	}
}

static void free_gone(void)
{
	while (door.gone) {
		struct connection *connection = door.gone;

		door.gone = connection->next;
		buf_done(&connection->out);
		free(connection);
	}
}

static void turn(void)
{
	struct epoll_event events[EVENTS_MAX];
	int count = epoll_wait(door.poller, events, EVENTS_MAX, -1);

	for (int i = 0; i < count; i++) {
		if (events[i].data.ptr == &door)
			on_port(events[i].events);
		else if (events[i].data.ptr == &door.listener)
			accept_one();
		else
			on_program(events[i].data.ptr, events[i].events);
	}
	do {
		write_due();
		flush_session();
	} while (door.due);
	free_gone();
}

static void listen_somewhere(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t len = sizeof(address);

	door.listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (door.listener < 0 || bind(door.listener, (struct sockaddr *)&address, len) < 0 ||
	    listen(door.listener, 1024) < 0 ||
	    getsockname(door.listener, (struct sockaddr *)&address, &len) < 0)
		die("listen");
	door.port = ntohs(address.sin_port);
}

int main(int argc, char **argv)
{
	if (argc != 2)
		die("usage: door AUTHORITY");
	door.poller = epoll_create1(EPOLL_CLOEXEC);
	listen_somewhere();
	door.authority = argv[1];
	if (fd_set_nonblock(PORT_FD) < 0)
		die("there is no network port");
	watch(EPOLL_CTL_ADD, PORT_FD, EPOLLIN, &door);
	watch(EPOLL_CTL_ADD, door.listener, EPOLLIN, &door.listener);
	for (;;)
		turn();
}
