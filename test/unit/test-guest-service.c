/*
 * The guest program's service as an ordinary process: a socket in place of the port, the host's side driven
 * by hand, so that any split of the bytes, and any garbage, can be tried.
 */
#include "guest/control.h"
#include "guest/guest.h"
#include "guest/port.h"
#include "wire/control.h"
#include "wire/frame.h"
#include "wire/port.h"

#include "base/clock.h"
#include "base/fd.h"

#include "unit.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>

enum { LIMIT_MS = 20000, PACKET_BYTES = 65536 };

struct host {
	struct guest guest;
	struct h2 *h2;
	struct buf in, out;
	uint8_t nonce[PORT_NONCE_BYTES];
	size_t step; /* how many bytes reach the guest at once */
	int fd;
	bool answered;
};

/* What a stream has brought so far. */
struct call {
	struct h2_stream *stream;
	struct buf in, output, error_output;
	char failure[256];
	int http_status, status, failed, n_started, joined;
	bool closed;
};

static void take_frame(struct call *call, const struct frame *frame)
{
	if (frame->kind == FRAME_STARTED) {
		call->n_started++;
		call->joined = frame->body.ptr[4];
	} else if (frame->kind == FRAME_OUTPUT) {
		assert_int_equal(buf_append(&call->output, frame->body), 0);
	} else if (frame->kind == FRAME_ERROR_OUTPUT) {
		assert_int_equal(buf_append(&call->error_output, frame->body), 0);
	} else if (frame->kind == FRAME_EXIT) {
		call->status = (unsigned char)frame->body.ptr[0];
	} else if (frame->kind == FRAME_FAILED) {
		call->failed = (unsigned char)frame->body.ptr[0];
		snprintf(call->failure, sizeof(call->failure), "%.*s", (int)frame->body.len - 1,
			 frame->body.ptr + 1);
	} else {
		fail_msg("the guest sent a frame of kind %d", frame->kind);
	}
}

static void on_response(struct h2_stream *stream, int status)
{
	struct call *call = h2_data(stream);

	call->http_status = status;
}

static void on_data(struct h2_stream *stream, struct slice data)
{
	struct call *call = h2_data(stream);
	struct frame frame;
	size_t used;

	assert_int_equal(buf_append(&call->in, data), 0);
	h2_consume(stream, data.len);
	while (frame_parse(buf_slice(&call->in), &frame, &used) == PARSED_OK) {
		take_frame(call, &frame);
		buf_drop(&call->in, used);
	}
}

static void on_end(struct h2_stream *stream)
{
	h2_end(stream);
}

static void on_close(struct h2_stream *stream, uint32_t error)
{
	struct call *call = h2_data(stream);

	(void)error;
	call->closed = true;
	call->stream = NULL;
}

static const struct h2_ops ops = {
	.on_response = on_response, .on_data = on_data, .on_end = on_end, .on_close = on_close};

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
			assert_int_equal(loop_turn(host->guest.loop, 0), 0);
	}
}

static void receive_some(struct host *host)
{
	uint8_t version;
	size_t used;

	while (buf_read_fd(&host->in, host->fd, PACKET_BYTES) > 0)
		continue;
	if (!host->answered) {
		host->answered =
			port_find_answer(buf_slice(&host->in), host->nonce, &used, &version) == PARSED_OK;
		buf_drop(&host->in, used);
	}
	if (!host->answered)
		return;
	if (host->in.len > 0)
		assert_int_equal(h2_feed(host->h2, buf_slice(&host->in)), 0);
	buf_clear(&host->in);
}

/* One round of both sides. */
static void turn(struct host *host)
{
	auto_buf struct buf plain = {0};

	if (host->answered) {
		assert_int_equal(h2_drain(host->h2, &plain, 1 << 20), 0);
		assert_int_equal(port_append_data(&host->out, buf_slice(&plain)), 0);
	}
	send_some(host);
	(void)port_flush(host->guest.port);
	assert_int_equal(loop_turn(host->guest.loop, 1), 0);
	(void)port_flush(host->guest.port);
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
	host->answered = false;
	host->nonce[0]++;
	buf_clear(&host->out);
	assert_int_equal(h2_new_client(&ops, NULL, &host->h2), 0);
	assert_int_equal(port_append_hello(&host->out, host->nonce), 0);
	turn_until(host, host->answered);
}

static int setup(void **state)
{
	struct host *host = calloc(1, sizeof(*host));
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
	host->fd = pair[0];
	host->step = PACKET_BYTES;
	assert_int_equal(loop_new(&host->guest.loop), 0);
	assert_int_equal(children_new(host->guest.loop, &host->guest.children), 0);
	assert_int_equal(control_new(&host->guest, pair[1]), 0);
	greet(host);
	*state = host;
	return 0;
}

static int teardown(void **state)
{
	struct host *host = *state;

	port_free(host->guest.port);
	h2_free(host->h2);
	/* What was hung up ends, and is reaped. */
	for (int64_t end = clock_ms() + LIMIT_MS; host->guest.n_commands > 0 && clock_ms() < end;)
		(void)loop_turn(host->guest.loop, 10);
	assert_int_equal(host->guest.n_commands, 0);
	children_free(host->guest.children);
	loop_free(host->guest.loop);
	close(host->fd);
	buf_done(&host->in);
	buf_done(&host->out);
	free(host);
	return 0;
}

static void call_done(struct call *call)
{
	if (call->stream)
		h2_set_data(call->stream, NULL);
	buf_done(&call->in);
	buf_done(&call->output);
	buf_done(&call->error_output);
}
#define auto_call __attribute__((cleanup(call_done)))

static void say(struct call *call, enum frame_kind kind, struct slice body)
{
	auto_buf struct buf frame = {0};

	assert_int_equal(frame_append(&frame, kind, body), 0);
	assert_int_equal(h2_send(call->stream, buf_slice(&frame)), 0);
}

static void begin(struct host *host, struct call *call)
{
	*call = (struct call){.status = -1, .failed = -1};
	assert_int_equal(h2_request(host->h2, "POST", CONTROL_EXEC, call, &call->stream), 0);
}

/* sh -c script, as whoever runs the test. */
static void begin_script(struct host *host, struct call *call, const char *script)
{
	char user[16];

	begin(host, call);
	snprintf(user, sizeof(user), "%u", geteuid());
	say(call, FRAME_ARG, slice_text("/bin/sh"));
	say(call, FRAME_ARG, slice_text("-c"));
	say(call, FRAME_ARG, slice_text(script));
	say(call, FRAME_USER, slice_text(user));
	say(call, FRAME_DIR, slice_text("/"));
}

static void run_script(struct host *host, struct call *call, const char *script, const char *input)
{
	begin_script(host, call, script);
	say(call, FRAME_START, slice_text(""));
	say(call, FRAME_INPUT, slice_text(input));
	say(call, FRAME_INPUT_END, slice_text(""));
	turn_until(host, call->closed);
}

static void test_streams_and_status(void **state)
{
	struct host *host = *state;
	auto_call struct call call;

	run_script(host, &call, "cat; echo err >&2; exit 7", "in");
	assert_int_equal(call.http_status, 200);
	assert_int_equal(call.n_started, 1);
	assert_string_equal(buf_text(&call.output), "in");
	assert_string_equal(buf_text(&call.error_output), "err\n");
	assert_int_equal(call.status, 7);
}

static void test_byte_by_byte(void **state)
{
	struct host *host = *state;
	auto_call struct call call;

	host->step = 1;
	greet(host);
	run_script(host, &call, "cat; exit 3", "byte by byte");
	assert_string_equal(buf_text(&call.output), "byte by byte");
	assert_int_equal(call.status, 3);
}

static void test_much_both_ways(void **state)
{
	struct host *host = *state;
	static char block[FRAME_CHUNK_BYTES];
	auto_call struct call call;
	size_t sent = 0, wanted = 4 << 20;

	memset(block, 'x', sizeof(block));
	begin_script(host, &call, "cat");
	say(&call, FRAME_START, slice_text(""));
	while (sent < wanted) {
		if (h2_queued(call.stream) < (256 << 10)) {
			say(&call, FRAME_INPUT, slice_of(block, sizeof(block)));
			sent += sizeof(block);
		}
		turn(host);
	}
	say(&call, FRAME_INPUT_END, slice_text(""));
	turn_until(host, call.closed);
	assert_int_equal(call.output.len, sent);
	assert_int_equal(call.status, 0);
}

static void test_failures_have_sentences(void **state)
{
	struct host *host = *state;
	auto_call struct call missing, folder, user, nothing;

	begin(host, &missing);
	say(&missing, FRAME_ARG, slice_text("no-such-program"));
	say(&missing, FRAME_USER, slice_text("0"));
	say(&missing, FRAME_START, slice_text(""));
	turn_until(host, missing.closed);
	assert_int_equal(missing.failed, geteuid() == 0 ? 127 : 1);
	begin_script(host, &folder, "true");
	say(&folder, FRAME_DIR, slice_text("/no/such"));
	say(&folder, FRAME_START, slice_text(""));
	turn_until(host, folder.closed);
	assert_int_equal(folder.failed, 1);
	assert_non_null(strstr(folder.failure, "/no/such"));
	begin_script(host, &user, "true");
	say(&user, FRAME_USER, slice_text("no-such-user"));
	say(&user, FRAME_START, slice_text(""));
	turn_until(host, user.closed);
	assert_non_null(strstr(user.failure, "no-such-user"));
	begin(host, &nothing);
	say(&nothing, FRAME_START, slice_text(""));
	turn_until(host, nothing.closed);
	assert_int_equal(nothing.failed, 127);
}

static void send_garbage(struct host *host, const char *bytes, size_t len)
{
	auto_call struct call call;

	begin(host, &call);
	assert_int_equal(h2_send(call.stream, slice_of(bytes, len)), 0);
	turn_until(host, call.closed);
	assert_int_equal(call.n_started, 0);
}

static void test_garbage_ends_its_stream_only(void **state)
{
	static const char unknown[] = "\xff\0\0\0", from_guest[] = "\x24\0\0\1\0",
			  too_long[] = "\1\xff\xff\xff", early[] = "\x8\0\0\1x", nul[] = "\1\0\0\3a\0b";
	struct host *host = *state;
	auto_call struct call call;

	send_garbage(host, unknown, sizeof(unknown) - 1);
	send_garbage(host, from_guest, sizeof(from_guest) - 1);
	send_garbage(host, too_long, sizeof(too_long) - 1);
	send_garbage(host, early, sizeof(early) - 1);
	send_garbage(host, nul, sizeof(nul) - 1);
	run_script(host, &call, "echo fine", "");
	assert_string_equal(buf_text(&call.output), "fine\n");
}

static void test_a_new_hello_ends_commands_and_keeps_terminals(void **state)
{
	struct host *host = *state;
	auto_call struct call plain, terminal, again;
	const struct frame_size size = {24, 80};
	auto_buf struct buf frame = {0};

	begin_script(host, &plain, "echo on; sleep 1000");
	say(&plain, FRAME_START, slice_text(""));
	begin_script(host, &terminal, "echo first; read -r line; echo got-$line");
	say(&terminal, FRAME_SESSION, slice_text("agent"));
	assert_int_equal(frame_append_size(&frame, FRAME_TERMINAL, size), 0);
	assert_int_equal(h2_send(terminal.stream, buf_slice(&frame)), 0);
	say(&terminal, FRAME_START, slice_text(""));
	turn_until(host, plain.output.len > 0 && strstr(buf_text(&terminal.output), "first"));

	assert_int_equal(port_append_data(&host->out, slice_text("cut in the middle of a packet")), 0);
	host->out.len -= 7;
	send_some(host);
	greet(host);
	assert_true(plain.closed && terminal.closed);
	turn_until(host, host->guest.n_commands == 0);
	assert_int_equal(host->guest.n_terminals, 1);

	begin_script(host, &again, "echo another");
	say(&again, FRAME_SESSION, slice_text("agent"));
	assert_int_equal(h2_send(again.stream, buf_slice(&frame)), 0);
	say(&again, FRAME_START, slice_text(""));
	turn_until(host, strstr(buf_text(&again.output), "first"));
	assert_int_equal(again.joined, 1);
	say(&again, FRAME_INPUT, slice_text("word\n"));
	turn_until(host, again.closed);
	assert_non_null(strstr(buf_text(&again.output), "got-word"));
	assert_int_equal(again.status, 0);
	assert_int_equal(host->guest.n_terminals, 0);
}

static size_t count_open(void)
{
	DIR *dir = opendir("/proc/self/fd");
	size_t count = 0;

	while (readdir(dir))
		count++;
	closedir(dir);
	return count;
}

static void test_nothing_is_left_of_many(void **state)
{
	struct host *host = *state;
	size_t before = count_open();

	for (int i = 0; i < 300; i++) {
		auto_call struct call call;

		run_script(host, &call, i % 3 ? "exit 0" : "kill -9 $$", "");
		assert_int_equal(call.status, i % 3 ? 0 : 137);
	}
	assert_int_equal(count_open(), before);
	assert_int_equal(host->guest.n_commands, 0);
}

/* More than the resets that a server takes from a stranger: each caller leaves early. */
static void test_callers_that_leave_early(void **state)
{
	struct host *host = *state;
	auto_call struct call call;

	for (int i = 0; i < 3000; i++) {
		struct call gone = {.status = -1};

		begin(host, &gone);
		turn_until(host, gone.http_status == 200);
		h2_reset(gone.stream);
		turn_until(host, gone.closed);
	}
	run_script(host, &call, "echo fine", "");
	assert_string_equal(buf_text(&call.output), "fine\n");
}

static void test_other_requests_are_refused(void **state)
{
	struct host *host = *state;
	auto_call struct call call = {0};

	assert_int_equal(h2_request(host->h2, "GET", "/etc/passwd", &call, &call.stream), 0);
	turn_until(host, call.closed);
	assert_int_equal(call.http_status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_streams_and_status, setup, teardown),
		cmocka_unit_test_setup_teardown(test_byte_by_byte, setup, teardown),
		cmocka_unit_test_setup_teardown(test_much_both_ways, setup, teardown),
		cmocka_unit_test_setup_teardown(test_failures_have_sentences, setup, teardown),
		cmocka_unit_test_setup_teardown(test_garbage_ends_its_stream_only, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_new_hello_ends_commands_and_keeps_terminals, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_nothing_is_left_of_many, setup, teardown),
		cmocka_unit_test_setup_teardown(test_callers_that_leave_early, setup, teardown),
		cmocka_unit_test_setup_teardown(test_other_requests_are_refused, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
