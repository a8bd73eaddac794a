/*
 * Load for bench/proxy, and the server that it asks (proxy-load-server.c). One thread each, epoll, no pauses.
 *
 *   proxy-load serve PORT                    answers GET /N with N bytes, on kept connections
 *   proxy-load copy PORT TO                  passes bytes between a connection and another one, to compare
 * with proxy-load WAY TASK PORT COUNT WIDTH SIZE
 *
 * WAY: direct; http:PROXY-PORT:PID (an HTTP proxy); relay:PORT:PID (plain TCP); or the path of sbx-proxy,
 * whose guest this program is then. TASK: requests (GET, kept connections), tunnels (one connection for each
 * GET), bulk (WIDTH connections of one GET each), idle (WIDTH connections that have had an answer). COUNT
 * GETs in all, WIDTH at once, of SIZE bytes. Prints JSON: GETs, seconds, the proxy's seconds on a processor
 * and its memory, microseconds for each GET.
 */
#include "proxy-load.h"

#include "base/fd.h"
#include "base/text.h"
#include "wire/chan.h"
#include "wire/h2.h"
#include "wire/port.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

enum { LATENCIES_MAX = 1 << 20 };

_Noreturn void die(const char *what)
{
	fprintf(stderr, "proxy-load: %s: %s\n", what, strerror(errno));
	exit(1);
}

static double now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

void watch(int poller, int operation, int fd, uint32_t events, void *data)
{
	struct epoll_event event = {.events = events, .data = {.ptr = data}};

	if (epoll_ctl(poller, operation, fd, &event) < 0)
		die("epoll_ctl");
}

int connect_to(uint16_t port)
{
	const struct sockaddr_in to = {
		.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd < 0 || connect(fd, (const struct sockaddr *)&to, sizeof(to)) < 0)
		die("connect");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
	return fd;
}

/* ---- the ways ---- */

struct connection {
	int fd;                   /* -1 with sbx-proxy */
	struct h2_stream *stream; /* with sbx-proxy */
	bool waits_for_connect;
	struct buf head;
	size_t body_left;
	bool in_body, is_asked;
	double begun_s;
};

static struct {
	int poller;
	enum { DIRECT, HTTP, SBX } way;
	enum { REQUESTS, TUNNELS, BULK, IDLE } task;
	uint16_t port, proxy_port;
	pid_t pid;
	uint64_t count, size, begun, done;
	bool is_closing; /* the proxy ends each connection with its answer, and does not say so */
	unsigned width;
	float *latencies;
	int session_fd;
	struct h2 *h2;
	struct buf in, out;
} load;

static void say(struct connection *connection, struct slice bytes)
{
	if (connection->stream)
		(void)h2_send(connection->stream, bytes);
	else
		(void)send(connection->fd, bytes.ptr, bytes.len, MSG_NOSIGNAL);
}

static void ask(struct connection *connection)
{
	char host[32], request[256];
	bool is_absolute = load.way == HTTP && load.task == REQUESTS;
	int len;

	snprintf(host, sizeof(host), "127.0.0.1:%u", load.port);
	len = snprintf(request, sizeof(request), "GET %s%s/%llu HTTP/1.1\r\nHost: %s\r\n\r\n",
		       is_absolute ? "http://" : "", is_absolute ? host : "", (unsigned long long)load.size,
		       host);
	connection->in_body = false;
	connection->is_asked = true;
	say(connection, slice_of(request, (size_t)len));
}

static void open_connection(struct connection *connection)
{
	char text[128];

	connection->begun_s = now_s();
	buf_clear(&connection->head);
	if (load.way == SBX) {
		snprintf(text, sizeof(text), "127.0.0.1:%u", load.port);
		connection->fd = -1;
		if (h2_connect(load.h2, text, connection, &connection->stream) < 0)
			die("h2_connect");
		ask(connection);
		return;
	}
	connection->fd = connect_to(load.way == HTTP ? load.proxy_port : load.port);
	fd_set_nonblock(connection->fd);
	watch(load.poller, EPOLL_CTL_ADD, connection->fd, EPOLLIN, connection);
	connection->waits_for_connect = load.way == HTTP && load.task != REQUESTS;
	if (connection->waits_for_connect) {
		snprintf(text, sizeof(text), "CONNECT 127.0.0.1:%u HTTP/1.1\r\nHost: 127.0.0.1:%u\r\n\r\n",
			 load.port, load.port);
		say(connection, slice_text(text));
	} else {
		ask(connection);
	}
}

static void close_connection(struct connection *connection)
{
	if (connection->stream) {
		h2_end(connection->stream);
		h2_set_data(connection->stream, NULL);
		connection->stream = NULL;
	} else if (connection->fd >= 0) {
		close(connection->fd);
		connection->fd = -1;
	}
}

/* ---- the tasks ---- */

static void next(struct connection *connection)
{
	if (load.begun == load.count)
		return;
	load.begun++;
	connection->begun_s = now_s();
	if (load.task == TUNNELS || load.is_closing || (connection->fd < 0 && !connection->stream)) {
		close_connection(connection);
		open_connection(connection);
	} else {
		ask(connection);
	}
}

static void answered(struct connection *connection)
{
	if (load.done < LATENCIES_MAX)
		load.latencies[load.done] = (float)((now_s() - connection->begun_s) * 1e6);
	load.done++;
	connection->is_asked = false;
	if (load.task == REQUESTS || load.task == TUNNELS)
		next(connection);
}

static void took(struct connection *connection, struct slice data)
{
	while (data.len > 0) {
		const char *end;

		if (connection->in_body) {
			size_t len = data.len < connection->body_left ? data.len : connection->body_left;

			connection->body_left -= len;
			data = slice_skip(data, len);
			if (connection->body_left > 0)
				return;
			connection->in_body = false;
			answered(connection);
			return;
		}
		buf_append(&connection->head, data);
		end = strstr(buf_text(&connection->head), "\r\n\r\n");
		if (!end)
			return;
		/* What follows the head is the end of this piece. */
		data = slice_of(data.ptr + data.len, 0);
		size_t body = connection->head.len - (size_t)(end + 4 - buf_text(&connection->head));
		data = slice_of(data.ptr - body, body);
		buf_clear(&connection->head);
		if (connection->waits_for_connect) {
			connection->waits_for_connect = false;
			ask(connection);
			return;
		}
		connection->in_body = true;
		connection->body_left = load.size;
	}
}

static void ended(struct connection *connection)
{
	close_connection(connection);
	if (connection->in_body || connection->head.len > 0)
		die("an answer broke off");
	if (!connection->is_asked)
		return;
	load.is_closing = true;
	open_connection(connection);
}

/* ---- the guest's end of sbx-proxy ---- */

static void on_response(struct h2_stream *stream, int status)
{
	(void)stream;
	if (status != 200)
		die("status");
}

static void on_data(struct h2_stream *stream, struct slice data)
{
	struct connection *connection = h2_data(stream);
	size_t len = data.len;

	if (connection)
		took(connection, data);
	h2_consume(stream, len);
}

static void on_end(struct h2_stream *stream)
{
	struct connection *connection = h2_data(stream);

	if (connection)
		ended(connection);
}

static void on_close(struct h2_stream *stream, uint32_t error)
{
	struct connection *connection = h2_data(stream);

	(void)error;
	if (connection)
		die("a stream was closed");
}

static void flush_session(void)
{
	while (h2_drain(load.h2, &load.out, 256 << 10) == 0 && load.out.len > 0)
		if (buf_write_fd(&load.out, load.session_fd) < 0)
			break;
	watch(load.poller, EPOLL_CTL_MOD, load.session_fd, load.out.len > 0 ? EPOLLIN | EPOLLOUT : EPOLLIN,
	      NULL);
}

/* What is said before the answer to the handshake is not heard. */
static void begin_session(const uint8_t nonce[PORT_NONCE_BYTES])
{
	static const struct h2_ops ops = {
		.on_response = on_response, .on_data = on_data, .on_end = on_end, .on_close = on_close};

	if (port_append_answer(&load.out, nonce) < 0 || h2_new_client(&ops, NULL, &load.h2) < 0)
		die("h2");
}

static void take_packets(void)
{
	struct port_packet packet;
	size_t used, done = 0;

	for (;;) {
		enum parsed parsed = port_parse(slice_skip(buf_slice(&load.in), done), &packet, &used);

		if (parsed == PARSED_BAD)
			die("port");
		if (parsed == PARSED_OK && packet.kind == PORT_HELLO)
			begin_session(packet.nonce);
		else if (parsed == PARSED_OK && h2_feed(load.h2, packet.data) < 0)
			die("h2_feed");
		done += used;
		if (parsed == PARSED_MORE)
			break;
	}
	buf_drop(&load.in, done);
}

static void session_event(uint32_t events)
{
	if (events & EPOLLIN) {
		ssize_t count = buf_read_fd(&load.in, load.session_fd, READ_BYTES);

		if (count <= 0 && count != -EAGAIN)
			die("the proxy is gone");
		take_packets();
	}
	flush_session();
}

static void send_rules(int chan, enum proxy_layer layer, const char *text)
{
	int fd = memfd_create("text", 0);

	if (fd < 0 || fd_write_all(fd, slice_text(text)) < 0 ||
	    chan_send(chan, CHAN_PROXY_POLICY, 0, layer, slice_text(""), fd) < 0)
		die("channel");
	close(fd);
}

static void drain_channel(int chan)
{
	struct chan_message message;
	int fd;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (chan_receive(chan, &message, &fd) > 0)
		;
	_exit(0);
}

static void start_sbx(const char *program)
{
	int chan[2], port[2];
	char rules[128];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, chan) < 0 || socketpair(AF_UNIX, SOCK_STREAM, 0, port) < 0)
		die("socketpair");
	load.pid = fork();
	if (load.pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(chan[1], 3);
		execl(program, program, (char *)NULL);
		die(program);
	}
	close(chan[1]);
	snprintf(rules, sizeof(rules), "allow 127.0.0.1:%u%s\n", load.port,
		 load.task == REQUESTS ? "" : " tcp");
	send_rules(chan[0], PROXY_LAYER_GLOBAL, rules);
	send_rules(chan[0], PROXY_LAYER_SANDBOX, "");
	if (chan_send(chan[0], CHAN_PROXY_PORT, 0, 0, slice_text("bench"), port[1]) < 0)
		die("channel");
	close(port[1]);
	if (fork() == 0)
		drain_channel(chan[0]);
	load.session_fd = port[0];
	while (!load.h2) {
		if (buf_read_fd(&load.in, port[0], READ_BYTES) <= 0)
			die("the proxy is gone");
		take_packets();
	}
	fd_set_nonblock(port[0]);
	watch(load.poller, EPOLL_CTL_ADD, port[0], EPOLLIN, NULL);
}

/* ---- measuring ---- */

static double processor_s(void)
{
	char path[64];
	auto_buf struct buf text = {0};
	unsigned long long user = 0, system = 0;

	if (load.pid == 0)
		return 0;
	snprintf(path, sizeof(path), "/proc/%d/stat", load.pid);
	autofd int fd = open(path, O_RDONLY);
	if (fd < 0 || fd_read_all(fd, 4096, &text) < 0 ||
	    sscanf(strrchr(buf_text(&text), ')'), ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu",
		   &user, &system) != 2)
		die(path);
	return (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
}

static long memory_kib(void)
{
	char path[64];
	auto_buf struct buf text = {0};
	const char *pss;

	if (load.pid == 0)
		return 0;
	snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", load.pid);
	autofd int fd = open(path, O_RDONLY);
	if (fd < 0 || fd_read_all(fd, 65536, &text) < 0)
		return 0;
	pss = strstr(buf_text(&text), "Pss:");
	return pss ? strtol(pss + 4, NULL, 10) : 0;
}

static int by_size(const void *a, const void *b)
{
	float x = *(const float *)a, y = *(const float *)b;

	return x < y ? -1 : x > y;
}

static void report(double seconds, double processor, long memory_before)
{
	size_t count = load.done < LATENCIES_MAX ? load.done : LATENCIES_MAX;

	qsort(load.latencies, count, sizeof(*load.latencies), by_size);
	printf("{\"count\": %llu, \"seconds\": %.4f, \"processor\": %.4f, \"p50_us\": %.1f, \"p99_us\": "
	       "%.1f, "
	       "\"memory_kib\": %ld, \"memory_before_kib\": %ld, \"bytes\": %llu}\n",
	       (unsigned long long)load.done, seconds, processor, load.latencies[count / 2],
	       load.latencies[count * 99 / 100], memory_kib(), memory_before,
	       (unsigned long long)(load.done * load.size));
}

static void turn(void)
{
	static char scratch[READ_BYTES];
	struct epoll_event events[EVENTS_MAX];
	int count = epoll_wait(load.poller, events, EVENTS_MAX, -1);

	for (int i = 0; i < count; i++) {
		struct connection *connection = events[i].data.ptr;
		ssize_t len;

		if (!connection) {
			session_event(events[i].events);
			continue;
		}
		len = connection->fd < 0 ? -1 : recv(connection->fd, scratch, sizeof(scratch), 0);
		if (len > 0)
			took(connection, slice_of(scratch, (size_t)len));
		else if (len == 0 || (connection->fd >= 0 && errno != EAGAIN))
			ended(connection);
	}
}

static void run(void)
{
	struct connection *connections = calloc(load.width, sizeof(*connections));
	double begun = now_s(), processor = processor_s();
	long memory = memory_kib();

	for (unsigned i = 0; i < load.width; i++) {
		connections[i].fd = -1;
		load.begun++;
		open_connection(&connections[i]);
	}
	if (load.h2)
		flush_session();
	while (load.done < load.count)
		turn();
	report(now_s() - begun, processor_s() - processor, memory);
}

static void choose_task(const char *name)
{
	static const char *const names[] = {"requests", "tunnels", "bulk", "idle"};

	for (unsigned i = 0; i < array_len(names); i++)
		if (strcmp(name, names[i]) == 0)
			load.task = i;
}

int main(int argc, char **argv)
{
	const struct rlimit files = {65536, 65536};

	(void)setrlimit(RLIMIT_NOFILE, &files);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGCHLD, SIG_IGN);
	load.poller = epoll_create1(EPOLL_CLOEXEC);
	if (argc == 3 && strcmp(argv[1], "serve") == 0)
		serve((uint16_t)atoi(argv[2]));
	if (argc == 4 && strcmp(argv[1], "copy") == 0)
		copy((uint16_t)atoi(argv[2]), (uint16_t)atoi(argv[3]));
	if (argc != 7)
		return 2;
	load.latencies = calloc(LATENCIES_MAX, sizeof(*load.latencies));
	choose_task(argv[2]);
	load.port = (uint16_t)atoi(argv[3]);
	load.count = strtoull(argv[4], NULL, 10);
	load.width = (unsigned)atoi(argv[5]);
	load.size = strtoull(argv[6], NULL, 10);
	if (sscanf(argv[1], "http:%hu:%d", &load.proxy_port, &load.pid) == 2)
		load.way = HTTP;
	else if (sscanf(argv[1], "relay:%hu:%d", &load.proxy_port, &load.pid) == 2)
		load.port = load.proxy_port;
	else if (strcmp(argv[1], "direct") != 0) {
		load.way = SBX;
		start_sbx(argv[1]);
	}
	run();
	return 0;
}
