/* What waits for a port: cut into packets, whatever the port takes at once. */
#include "share/outgoing.h"

#include "base/fd.h"

#include "unit.h"

#include <errno.h>
#include <signal.h>
#include <sys/socket.h>

enum { STEP_MAX_BYTES = 100000, TOTAL_BYTES = 3 << 20 };

/* Reads up to count bytes of the port and takes the packets out of them. */
static void take(int port, size_t count, struct buf *packets, struct buf *stream)
{
	struct port_packet packet;
	enum parsed parsed;
	size_t used;

	(void)buf_read_fd(packets, port, count);
	do {
		parsed = port_parse(buf_slice(packets), &packet, &used);
		assert_int_not_equal(parsed, PARSED_BAD);
		if (parsed == PARSED_OK) {
			assert_int_equal(packet.kind, PORT_DATA);
			assert_int_equal(buf_append(stream, packet.data), 0);
		}
		buf_drop(packets, used);
	} while (parsed == PARSED_OK);
}

static void add(struct outgoing *outgoing, size_t len, size_t *at)
{
	auto_buf struct buf bytes = {0};
	char *space = buf_space(&bytes, len);

	for (size_t i = 0; i < len; i++)
		space[i] = (char)((*at + i) * 7 >> 3);
	buf_grow(&bytes, len);
	*at += len;
	assert_int_equal(outgoing_add(outgoing, &bytes), 0);
	assert_int_equal(bytes.len, 0);
}

/* Sizes of all kinds go in, pieces of all sizes come out; between them is a port that is full most times. */
static void test_every_cut(void **state)
{
	static const size_t lens[] = {1, 100, 4095, 4096, 4097, 33000, 120, 1 << 20, 16, 80000};
	auto_buf struct buf packets = {0}, stream = {0};
	struct outgoing outgoing = {.len = 0};
	size_t at = 0, round = 0, step = 1;
	int pair[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
	while (stream.len < TOTAL_BYTES) {
		if (at < TOTAL_BYTES && outgoing.len < 1 << 20)
			add(&outgoing, lens[round++ % array_len(lens)], &at);
		assert_int_equal(outgoing_write(&outgoing, pair[0]), 0);
		take(pair[1], step, &packets, &stream);
		step = step * 3 % STEP_MAX_BYTES + 1;
	}
	while (stream.len < at) {
		assert_int_equal(outgoing_write(&outgoing, pair[0]), 0);
		take(pair[1], STEP_MAX_BYTES, &packets, &stream);
	}
	for (size_t i = 0; i < at; i++)
		assert_true(buf_text(&stream)[i] == (char)(i * 7 >> 3));
	assert_true(outgoing_is_empty(&outgoing) && packets.len == 0);
	outgoing_done(&outgoing);
	close(pair[0]);
	close(pair[1]);
}

/* What goes first goes as it is; a port that is closed is told. */
static void test_raw_and_closed(void **state)
{
	auto_buf struct buf bytes = {0};
	struct outgoing outgoing = {.len = 0};
	char text[16] = "";
	int pair[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
	assert_int_equal(outgoing_write(&outgoing, pair[0]), 0);
	assert_int_equal(buf_append(&bytes, slice_text("body")), 0);
	assert_int_equal(outgoing_add(&outgoing, &bytes), 0);
	assert_int_equal(buf_append(&outgoing.raw, slice_text("hello")), 0);
	assert_int_equal(outgoing_write(&outgoing, pair[0]), 0);
	assert_int_equal(read(pair[1], text, sizeof(text)), 5);
	assert_string_equal(text, "hello");
	close(pair[1]);
	assert_int_equal(outgoing_write(&outgoing, pair[0]), -EPIPE);
	outgoing_done(&outgoing);
	close(pair[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_cut),
		cmocka_unit_test(test_raw_and_closed),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
