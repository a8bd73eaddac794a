/*
 * The guest's way out as an ordinary process: a socket in place of the port with the host's side driven by
 * hand, and connections over loopback as its programs.
 */
#include "guest/dns.h"
#include "guest/outward.h"
#include "wire/h2.h"
#include "wire/port.h"

#include "base/clock.h"
#include "base/fd.h"

#include "unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>

enum { LIMIT_MS = 20000, PACKET_BYTES = 65536, BULK_BYTES = 8 << 20, MANY = 3000 };

/* What a stream has brought to the host so far. */
struct call {
	struct call *next;
	struct h2_stream *stream;
	struct buf in;
	char target[H2_AUTHORITY_MAX_BYTES];
	bool is_ended, is_closed;
	uint32_t error;
};

struct host {
	struct loop *loop;
	struct outward *outward;
	struct sockaddr_in listener, udp, tcp;
	struct h2 *h2;
	struct call *calls; /* newest first */
	struct buf in, out;
	uint8_t nonce[PORT_NONCE_BYTES];
	size_t step; /* how many bytes reach the guest at once */
	unsigned n_calls, n_open;
	int fd, status;
	bool is_answered, is_echo, is_deaf;
};

static struct host *the_host;
static struct sockaddr_storage wanted;

static int find_target(int fd, struct sockaddr_storage *ret)
{
	(void)fd;
	*ret = wanted;
	return 0;
}

static void want_v4(const char *address, uint16_t port)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port)};

	assert_int_equal(inet_pton(AF_INET, address, &v4.sin_addr), 1);
	memcpy(&wanted, &v4, sizeof(v4));
}

static void want_v6(const char *address, uint16_t port)
{
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};

	assert_int_equal(inet_pton(AF_INET6, address, &v6.sin6_addr), 1);
	memcpy(&wanted, &v6, sizeof(v6));
}

/* ---- the host ---- */

static int on_request(void *owner, struct h2_stream *stream, const char *method, const char *path)
{
	struct host *host = owner;
	struct call *call = calloc(1, sizeof(*call));

	assert_string_equal(method, "CONNECT");
	assert_string_equal(path, "");
	snprintf(call->target, sizeof(call->target), "%s", h2_authority(stream));
	call->stream = stream;
	call->next = host->calls;
	host->calls = call;
	host->n_calls++;
	host->n_open++;
	h2_set_data(stream, call);
	assert_int_equal(h2_respond(stream, host->status), 0);
	if (host->status != 200)
		h2_end(stream);
	return 0;
}

static void on_data(struct h2_stream *stream, struct slice data)
{
	struct call *call = h2_data(stream);

	assert_int_equal(buf_append(&call->in, data), 0);
	if (the_host->is_deaf)
		return;
	h2_consume(stream, data.len);
	if (the_host->is_echo)
		assert_int_equal(h2_send(stream, data), 0);
}

static void on_end(struct h2_stream *stream)
{
	((struct call *)h2_data(stream))->is_ended = true;
}

static void on_close(struct h2_stream *stream, uint32_t error)
{
	struct call *call = h2_data(stream);

	call->stream = NULL;
	call->is_closed = true;
	call->error = error;
	the_host->n_open--;
}

static const struct h2_ops ops = {
	.on_request = on_request, .on_data = on_data, .on_end = on_end, .on_close = on_close};

static void send_some(struct host *host)
{
	while (host->out.len > 0) {
		size_t count = host->out.len < host->step ? host->out.len : host->step;
		ssize_t sent = send(host->fd, buf_text(&host->out), count, MSG_NOSIGNAL);

		if (sent < 0 && errno == EAGAIN)
			return;
		assert_true(sent > 0);
		buf_drop(&host->out, (size_t)sent);
		if (host->step < PACKET_BYTES)
			assert_int_equal(loop_turn(host->loop, 0), 0);
	}
}

static void receive_some(struct host *host)
{
	const struct h2_limits limits = {.streams = 10000,
					 .session_window_bytes = H2_SESSION_WINDOW_BYTES,
					 .resets = 10000,
					 .resets_per_second = 10000};
	uint8_t version;
	size_t used;

	while (buf_read_fd(&host->in, host->fd, PACKET_BYTES) > 0)
		continue;
	if (!host->is_answered) {
		host->is_answered =
			port_find_answer(buf_slice(&host->in), host->nonce, &used, &version) == PARSED_OK;
		buf_drop(&host->in, used);
		if (host->is_answered)
			assert_int_equal(h2_new_server_limited(&ops, host, &limits, &host->h2), 0);
	}
	if (host->is_answered && host->in.len > 0)
		assert_int_equal(h2_feed(host->h2, buf_slice(&host->in)), 0);
	if (host->is_answered)
		buf_clear(&host->in);
}

/* One round of both sides. */
static void turn(struct host *host)
{
	auto_buf struct buf plain = {0};

	if (host->is_answered && host->out.len < BULK_BYTES) {
		assert_int_equal(h2_drain(host->h2, &plain, 1 << 20), 0);
		assert_int_equal(port_append_data(&host->out, buf_slice(&plain)), 0);
	}
	send_some(host);
	assert_int_equal(loop_turn(host->loop, 1), 0);
	receive_some(host);
}

/* Turns until the condition holds, with a limit. */
#define turn_until(host, condition)                                          \
	do {                                                                 \
		int64_t end_ms_ = clock_ms() + LIMIT_MS;                     \
		while (!(condition)) {                                       \
			turn(host);                                          \
			if (clock_ms() > end_ms_)                            \
				fail_msg("waited too long for " #condition); \
		}                                                            \
	} while (0)

static void greet(struct host *host)
{
	h2_free(host->h2);
	host->h2 = NULL;
	host->is_answered = false;
	host->nonce[0]++;
	buf_clear(&host->out);
	buf_clear(&host->in);
	assert_int_equal(port_append_hello(&host->out, host->nonce), 0);
	turn_until(host, host->is_answered);
}

/* ---- programs ---- */

static int make_socket(int type, struct sockaddr_in *ret)
{
	int sock = socket(AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	socklen_t len = sizeof(*ret);

	*ret = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	assert_int_equal(bind(sock, (struct sockaddr *)ret, len), 0);
	if (type == SOCK_STREAM)
		assert_int_equal(listen(sock, 4096), 0);
	assert_int_equal(getsockname(sock, (struct sockaddr *)ret, &len), 0);
	return sock;
}

static int connect_to(const struct sockaddr_in *address, int type)
{
	int sock = socket(AF_INET, type | SOCK_CLOEXEC, 0);

	assert_int_equal(connect(sock, (const struct sockaddr *)address, sizeof(*address)), 0);
	assert_int_equal(fd_set_nonblock(sock), 0);
	return sock;
}

static int program(struct host *host)
{
	return connect_to(&host->listener, SOCK_STREAM);
}

/* A program whose stream the host has. */
static int carried(struct host *host, struct call **ret)
{
	unsigned before = host->n_calls;
	int sock = program(host);

	turn_until(host, host->n_calls > before);
	*ret = host->calls;
	return sock;
}

/* Reads what there is: the count, 0 at the end, or a negative errno. */
static ssize_t take(int sock, struct buf *into)
{
	return buf_read_fd(into, sock, PACKET_BYTES);
}

static void make_query(struct buf *into, const char *name)
{
	buf_clear(into);
	assert_int_equal(buf_append(into, slice_of("\0\1\1\0\0\1\0\0\0\0\0\0", DNS_HEAD_BYTES)), 0);
	while (*name) {
		unsigned char len = (unsigned char)strcspn(name, ".");

		assert_int_equal(buf_append(into, slice_of(&len, 1)), 0);
		assert_int_equal(buf_append(into, slice_of(name, len)), 0);
		name += len + (name[len] == '.');
	}
	assert_int_equal(buf_append(into, slice_of("\0\0\1\0\1", 5)), 0);
}

static void resolve(struct host *host, const char *name, char ret[INET_ADDRSTRLEN])
{
	auto_buf struct buf query = {0}, answer = {0};
	autofd int sock = connect_to(&host->udp, SOCK_DGRAM);

	make_query(&query, name);
	assert_int_equal(send(sock, buf_text(&query), query.len, 0), query.len);
	turn_until(host, take(sock, &answer) > 0);
	assert_int_equal(answer.len, query.len + 16);
	inet_ntop(AF_INET, buf_text(&answer) + answer.len - 4, ret, INET_ADDRSTRLEN);
}

static int setup(void **state)
{
	struct host *host = calloc(1, sizeof(*host));
	struct outward_place place = {.listener = {-1, -1}, .find_target = find_target};
	int pair[2];

	signal(SIGPIPE, SIG_IGN);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
	*host = (struct host){.fd = pair[0], .step = PACKET_BYTES, .status = 200};
	place.port = pair[1];
	place.listener[0] = make_socket(SOCK_STREAM, &host->listener);
	place.udp = make_socket(SOCK_DGRAM, &host->udp);
	place.tcp = make_socket(SOCK_STREAM, &host->tcp);
	assert_int_equal(loop_new(&host->loop), 0);
	assert_int_equal(outward_new(host->loop, &place, &host->outward), 0);
	want_v4("192.0.2.1", 443);
	the_host = host;
	*state = host;
	return 0;
}

static int teardown(void **state)
{
	struct host *host = *state;

	outward_free(host->outward);
	h2_free(host->h2);
	while (host->calls) {
		struct call *next = host->calls->next;

		buf_done(&host->calls->in);
		free(host->calls);
		host->calls = next;
	}
	buf_done(&host->in);
	buf_done(&host->out);
	close(host->fd);
	loop_free(host->loop);
	free(host);
	return 0;
}

/* ---- tests ---- */

static void test_the_host_is_asked_for_names(void **state)
{
	struct host *host = *state;
	char address[INET_ADDRSTRLEN];
	struct call *call;

	greet(host);
	resolve(host, "Registry.example", address);
	want_v4(address, 8443);
	close(carried(host, &call));
	assert_string_equal(call->target, "Registry.example:8443");
	want_v4("192.0.2.77", 22);
	close(carried(host, &call));
	assert_string_equal(call->target, "192.0.2.77:22");
	want_v6("2001:db8::7", 443);
	close(carried(host, &call));
	assert_string_equal(call->target, "[2001:db8::7]:443");
}

static void test_forgotten_names_are_refused(void **state)
{
	struct host *host = *state;
	auto_buf struct buf got = {0};
	autofd int sock = -1;
	ssize_t count = -EAGAIN;

	greet(host);
	want_v4("198.19.77.77", 443);
	sock = program(host);
	turn_until(host, (count = take(sock, &got)) != -EAGAIN);
	assert_int_equal(count, -ECONNRESET);
	assert_int_equal(host->n_calls, 0);
}

static void check_both_ends(struct host *host)
{
	auto_buf struct buf got = {0};
	struct call *call;
	autofd int sock = carried(host, &call);

	assert_int_equal(send(sock, "question", 8, 0), 8);
	assert_int_equal(shutdown(sock, SHUT_WR), 0);
	turn_until(host, call->is_ended);
	assert_string_equal(buf_text(&call->in), "question");
	assert_false(call->is_closed);
	assert_int_equal(h2_send(call->stream, slice_text("answer")), 0);
	turn_until(host, take(sock, &got) > 0);
	assert_string_equal(buf_text(&got), "answer");
	h2_end(call->stream);
	turn_until(host, take(sock, &got) == 0);
	turn_until(host, call->is_closed);
	assert_int_equal(call->error, 0);
}

static void test_either_end_may_come_first(void **state)
{
	struct host *host = *state;
	auto_buf struct buf got = {0};
	struct call *call;
	autofd int sock = -1;

	greet(host);
	check_both_ends(host);
	sock = carried(host, &call);
	assert_int_equal(h2_send(call->stream, slice_text("all")), 0);
	h2_end(call->stream);
	turn_until(host, take(sock, &got) == 0);
	assert_string_equal(buf_text(&got), "all");
	assert_false(call->is_closed);
	assert_int_equal(send(sock, "late", 4, 0), 4);
	turn_until(host, call->in.len == 4);
	close(steal_fd(&sock));
	turn_until(host, call->is_closed);
	assert_int_equal(call->error, 0);
}

static void test_byte_by_byte(void **state)
{
	struct host *host = *state;

	host->step = 1;
	greet(host);
	check_both_ends(host);
}

static void test_refusals_are_resets(void **state)
{
	struct host *host = *state;
	auto_buf struct buf got = {0};
	struct call *call;
	autofd int refused = -1, reset = -1;
	ssize_t count = -EAGAIN;

	greet(host);
	host->status = 403;
	refused = carried(host, &call);
	turn_until(host, (count = take(refused, &got)) != -EAGAIN);
	assert_int_equal(count, -ECONNRESET);
	host->status = 200;
	reset = carried(host, &call);
	h2_reset(call->stream);
	turn_until(host, (count = take(reset, &got)) != -EAGAIN);
	assert_int_equal(count, -ECONNRESET);
	turn_until(host, host->n_open == 0);
}

static void test_a_program_that_resets_is_told_of(void **state)
{
	const struct linger at_once = {.l_onoff = 1};
	struct host *host = *state;
	struct call *call;
	int sock;

	greet(host);
	sock = carried(host, &call);
	setsockopt(sock, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	close(sock);
	turn_until(host, call->is_closed);
	assert_int_not_equal(call->error, 0);
}

/* Sends until nothing has been taken for a while of turns. */
static size_t send_until_stalled(struct host *host, int sock)
{
	static char block[PACKET_BYTES];
	size_t total = 0;

	for (int idle = 0; idle < 20;) {
		ssize_t count = send(sock, block, sizeof(block), MSG_NOSIGNAL);

		idle = count > 0 ? 0 : idle + 1;
		total += count > 0 ? (size_t)count : 0;
		assert_true(total < 64 << 20);
		turn(host);
	}
	return total;
}

static void test_stalled_streams_stop_nobody(void **state)
{
	static char block[BULK_BYTES];
	struct host *host = *state;
	auto_buf struct buf got = {0};
	struct call *deaf, *idle;
	autofd int sender = -1, receiver = -1;
	size_t total;

	greet(host);
	host->is_deaf = true;
	sender = carried(host, &deaf);
	total = send_until_stalled(host, sender);
	assert_true(deaf->in.len <= H2_STREAM_WINDOW_BYTES);
	host->is_deaf = false;
	receiver = carried(host, &idle);
	assert_int_equal(h2_send(idle->stream, slice_of(block, sizeof(block))), 0);
	/* The stream's window, and what the kernel keeps for a socket, but not all of it. */
	for (int i = 0; i < 100; i++)
		turn(host);
	assert_true(h2_queued(idle->stream) > 0);
	check_both_ends(host);
	h2_consume(deaf->stream, deaf->in.len);
	turn_until(host, deaf->in.len == total || (h2_consume(deaf->stream, deaf->in.len), false));
	while (got.len < sizeof(block)) {
		(void)take(receiver, &got);
		turn(host);
	}
	assert_int_equal(h2_queued(idle->stream), 0);
}

static void test_what_was_sent_is_delivered_after_the_end(void **state)
{
	static char block[1 << 20];
	struct host *host = *state;
	auto_buf struct buf got = {0};
	struct call *call;
	autofd int sock = -1;

	greet(host);
	memset(block, 'y', sizeof(block));
	sock = carried(host, &call);
	assert_int_equal(shutdown(sock, SHUT_WR), 0);
	assert_int_equal(h2_send(call->stream, slice_of(block, sizeof(block))), 0);
	h2_end(call->stream);
	for (int i = 0; i < 20; i++)
		turn(host);
	turn_until(host, take(sock, &got) == 0);
	assert_int_equal(got.len, sizeof(block));
	assert_memory_equal(buf_text(&got), block, sizeof(block));
}

static void test_a_new_session_ends_what_was_carried(void **state)
{
	struct host *host = *state;
	auto_buf struct buf got = {0};
	struct call *call;
	autofd int early = program(host), later = -1;
	ssize_t count = -EAGAIN;

	for (int i = 0; i < 20; i++)
		turn(host);
	assert_int_equal(take(early, &got), -EAGAIN);
	greet(host);
	turn_until(host, host->n_calls == 1);
	greet(host);
	turn_until(host, (count = take(early, &got)) != -EAGAIN);
	assert_int_equal(count, -ECONNRESET);
	later = carried(host, &call);
	assert_int_equal(send(later, "x", 1, 0), 1);
	turn_until(host, call->in.len == 1);
}

static void on_client_close(struct h2_stream *stream, uint32_t error)
{
	(void)stream, (void)error;
}

static void test_a_lost_session_is_broken(void **state)
{
	struct host *host = *state;
	auto_buf struct buf got = {0};
	static const struct h2_ops client_ops = {.on_close = on_client_close};
	struct h2 *old = NULL, *dead = NULL;
	struct h2_stream *stream;

	/* The program before this one has died in the middle of a frame. */
	assert_int_equal(h2_new_server(&ops, host, &old), 0);
	assert_int_equal(h2_new_client(&client_ops, NULL, &dead), 0);
	assert_int_equal(h2_connect(dead, "example.com:80", NULL, &stream), 0);
	assert_int_equal(h2_send(stream, slice_text("and then it died")), 0);
	assert_int_equal(h2_drain(dead, &got, 1 << 20), 0);
	h2_free(dead);
	assert_int_equal(h2_feed(old, slice_of(buf_text(&got), got.len - 4)), 0);
	buf_clear(&got);
	assert_int_equal(h2_drain(old, &got, 1 << 20), 0);
	assert_int_equal(loop_turn(host->loop, 0), 0);
	while (buf_read_fd(&host->in, host->fd, PACKET_BYTES) > 0)
		continue;
	if (h2_feed(old, buf_slice(&host->in)) == 0) {
		/* It says why, and takes nothing more. */
		assert_int_equal(h2_drain(old, &got, 1 << 20), 0);
		assert_int_equal(h2_feed(old, slice_text("more")), -EPROTO);
	}
	h2_free(old);
	greet(host);
	check_both_ends(host);
}

static void test_thousands_at_once(void **state)
{
	struct rlimit files = {.rlim_cur = 2 * MANY + 100, .rlim_max = 2 * MANY + 100};
	struct rlimit before;
	struct host *host = *state;
	static int socks[MANY];
	auto_buf struct buf got = {0};

	getrlimit(RLIMIT_NOFILE, &before);
	files.rlim_max = before.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &files) < 0)
		skip();
	host->is_echo = true;
	greet(host);
	for (int i = 0; i < MANY; i++) {
		socks[i] = program(host);
		assert_int_equal(send(socks[i], &i, sizeof(i), 0), sizeof(i));
		if (i % 100 == 0)
			turn(host);
	}
	turn_until(host, host->n_open == MANY);
	for (int i = 0; i < MANY; i++) {
		buf_clear(&got);
		turn_until(host, take(socks[i], &got) > 0);
		assert_int_equal(got.len, sizeof(i));
		assert_memory_equal(buf_text(&got), &i, sizeof(i));
		close(socks[i]);
	}
	for (struct call *call = host->calls; call; call = call->next)
		turn_until(host, call->is_ended);
	setrlimit(RLIMIT_NOFILE, &before);
}

static void test_queries_over_a_connection(void **state)
{
	struct host *host = *state;
	auto_buf struct buf query = {0}, framed = {0}, got = {0};
	autofd int sock = connect_to(&host->tcp, SOCK_STREAM), other = connect_to(&host->tcp, SOCK_STREAM);
	size_t answer_len;

	make_query(&query, "a.example");
	answer_len = 2 + query.len + 16;
	for (int i = 0; i < 2; i++) {
		const char length[2] = {0, (char)query.len};

		assert_int_equal(buf_append(&framed, slice_of(length, sizeof(length))), 0);
		assert_int_equal(buf_append(&framed, buf_slice(&query)), 0);
	}
	for (size_t i = 0; i < framed.len; i++) {
		assert_int_equal(send(sock, buf_text(&framed) + i, 1, 0), 1);
		turn(host);
	}
	turn_until(host, got.len == 2 * answer_len || take(sock, &got) == 0);
	assert_int_equal(got.len, 2 * answer_len);
	assert_int_equal(send(other, "\xff\xff", 2, 0), 2);
	buf_clear(&got);
	turn_until(host, take(other, &got) == 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_the_host_is_asked_for_names, setup, teardown),
		cmocka_unit_test_setup_teardown(test_forgotten_names_are_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_either_end_may_come_first, setup, teardown),
		cmocka_unit_test_setup_teardown(test_byte_by_byte, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refusals_are_resets, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_program_that_resets_is_told_of, setup, teardown),
		cmocka_unit_test_setup_teardown(test_stalled_streams_stop_nobody, setup, teardown),
		cmocka_unit_test_setup_teardown(test_what_was_sent_is_delivered_after_the_end, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_a_new_session_ends_what_was_carried, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_lost_session_is_broken, setup, teardown),
		cmocka_unit_test_setup_teardown(test_thousands_at_once, setup, teardown),
		cmocka_unit_test_setup_teardown(test_queries_over_a_connection, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
