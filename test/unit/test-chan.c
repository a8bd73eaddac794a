#include "base/fd.h"
#include "wire/chan.h"

#include "unit.h"

#include <errno.h>
#include <sys/socket.h>

static int setup(void **state)
{
	int *pair = calloc(2, sizeof(int));

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
	*state = pair;
	return 0;
}

static int teardown(void **state)
{
	int *pair = *state;

	close(pair[0]);
	close(pair[1]);
	free(pair);
	return 0;
}

static void test_there_and_back(void **state)
{
	const int *pair = *state;
	struct chan_message message;
	int fd = -1;

	assert_int_equal(chan_receive(pair[1], &message, &fd), -EAGAIN);
	assert_int_equal(chan_send(pair[0], CHAN_REQUEST, 7, 204, slice_text("GET /status\n"), pair[0]), 0);
	assert_int_equal(chan_receive(pair[1], &message, &fd), 1);
	assert_int_equal(message.kind, CHAN_REQUEST);
	assert_int_equal(message.id, 7);
	assert_int_equal(message.code, 204);
	assert_string_equal(message.body, "GET /status\n");
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(chan_send(pair[0], CHAN_READY, 0, 1, slice_text(""), -1), 0);
	assert_int_equal(chan_receive(pair[1], &message, &fd), 1);
	assert_int_equal(fd, -1);
}

static void test_a_body_is_limited(void **state)
{
	const int *pair = *state;
	static char big[CHAN_BODY_MAX_BYTES];

	assert_int_equal(chan_send(pair[0], CHAN_REPLY, 0, 0, slice_of(big, sizeof(big)), -1), -EMSGSIZE);
	assert_int_equal(chan_send(pair[0], CHAN_REPLY, 0, 0, slice_of(big, sizeof(big) - 1), -1), 0);
}

static void refused(const int *pair, const void *bytes, size_t len)
{
	struct chan_message message;
	int fd = -1;

	assert_int_equal(fd_send(pair[0], slice_of(bytes, len), &pair[0], 1), len);
	assert_int_equal(chan_receive(pair[1], &message, &fd), -EBADMSG);
	assert_int_equal(fd, -1);
}

static void test_nonsense_is_refused(void **state)
{
	const int *pair = *state;
	struct chan_message message = {.kind = CHAN_READY, .body_len = 4};
	static char too_long[sizeof(struct chan_message) + 1];

	refused(pair, "x", 1);
	refused(pair, &message, offsetof(struct chan_message, body));
	refused(pair, &message, offsetof(struct chan_message, body) + 5);
	message.body_len = 0xffffffff;
	refused(pair, &message, sizeof(message));
	message = (struct chan_message){.kind = 99};
	refused(pair, &message, offsetof(struct chan_message, body));
	refused(pair, too_long, sizeof(too_long));
}

static void test_the_end(void **state)
{
	int *pair = *state;
	struct chan_message message;
	int fd;

	shutdown(pair[0], SHUT_RDWR);
	assert_int_equal(chan_receive(pair[1], &message, &fd), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_there_and_back, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_body_is_limited, setup, teardown),
		cmocka_unit_test_setup_teardown(test_nonsense_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_the_end, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
