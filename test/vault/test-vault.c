/* The vault as a process: what the store sends by a pipe is revealed to the proxy, and shown to nobody else.
 */
#include "base/fd.h"
#include "base/spawn.h"
#include "vault/vault.h"
#include "wire/chan.h"

#include "../unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>

enum { LIMIT_MS = 10000 };

#define OPENAI                                                                  \
	"service openai\nenv OPENAI_API_KEY\nheader Authorization: Bearer %s\n" \
	"host api.openai.com\nplaceholder sk-0123456789abcdef\n"

struct place {
	int channel, proxy; /* of the supervisor's and of the proxy's ends */
	pid_t vault;
};

static void receive(int channel, enum chan_kind kind, struct chan_message *ret, int *ret_fd)
{
	struct pollfd ready = {.fd = channel, .events = POLLIN};

	assert_int_equal(poll(&ready, 1, LIMIT_MS), 1);
	assert_int_equal(chan_receive(channel, ret, ret_fd), 1);
	assert_int_equal(ret->kind, kind);
}

static void done(const struct place *place, uint32_t id, uint32_t code)
{
	struct chan_message message;
	int fd = -1;

	receive(place->channel, CHAN_VAULT_DONE, &message, &fd);
	assert_int_equal(message.id, id);
	assert_int_equal(message.code, code);
	assert_int_equal(fd, -1);
}

static int set_up(void **state)
{
	static struct place place;
	static const char *const argv[] = {"sbx-vault", NULL};
	struct spawn spawn = {.program = getenv("SBX_TEST_VAULT"),
			      .argv = argv,
			      .n_fds = VAULT_FDS,
			      .death_signal = SIGKILL};
	int own[2], proxy[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, own), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, proxy), 0);
	memcpy(spawn.fds, (int[]){-1, -1, STDERR_FILENO, own[1]}, 4 * sizeof(int));
	assert_int_equal(spawn_start(&spawn, &place.vault, NULL), 0);
	close(own[1]);
	place.channel = own[0];
	place.proxy = proxy[0];
	assert_int_equal(chan_send(place.channel, CHAN_VAULT_PROXY, 1, 0, slice_text(""), proxy[1]), 0);
	close(proxy[1]);
	done(&place, 1, 0);
	*state = &place;
	return 0;
}

static int tear_down(void **state)
{
	struct place *place = *state;
	int status = -1;

	close(place->channel);
	close(place->proxy);
	assert_int_equal(spawn_wait(place->vault, LIMIT_MS, &status), 0);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	return 0;
}

/* Gives the store's end. */
static int feed(const struct place *place, uint32_t id, const char *text)
{
	int ends[2];

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_int_equal(fd_write_all(ends[1], slice_text(text)), 0);
	assert_int_equal(chan_send(place->channel, CHAN_VAULT_FEED, id, 0, slice_text(""), ends[0]), 0);
	close(ends[0]);
	return ends[1];
}

/* What the supervisor is told that there is. */
static void described(const struct place *place, const char *wanted)
{
	struct chan_message message;
	auto_buf struct buf text = {0};
	autofd int file = -1;

	receive(place->channel, CHAN_VAULT_SECRETS, &message, &file);
	assert_true(file >= 0 && lseek(file, 0, SEEK_SET) == 0);
	assert_int_equal(fd_read_all(file, 65536, &text), 0);
	assert_non_null(strstr(buf_text(&text), wanted));
	assert_null(strstr(buf_text(&text), "real"));
}

static void revealed(const struct place *place, const char *ask, uint32_t code, const char *wanted)
{
	struct chan_message message;
	autofd int file = -1;

	assert_int_equal(chan_send(place->proxy, CHAN_VAULT_REVEAL, 5, 0, slice_text(ask), -1), 0);
	receive(place->proxy, CHAN_VAULT_HEADER, &message, &file);
	assert_int_equal(message.id, 5);
	assert_int_equal(message.code, code);
	assert_string_equal(message.body, wanted);
}

static void test_reveal(void **state)
{
	const struct place *place = *state;
	autofd int store = feed(place, 7, OPENAI "value real\nend\n");

	described(place, "service openai\n");
	done(place, 7, 0);
	revealed(place, "openai api.openai.com 443", 0, "Bearer real");
	revealed(place, "openai evil.example 443", EACCES, "");
	revealed(place, "openai api.openai.com 444", EACCES, "");
	revealed(place, "other api.openai.com 443", ENOENT, "");
	revealed(place, "openai api.openai.com 443 more", EINVAL, "");
	revealed(place, "", EINVAL, "");
	/* Later words of the same store. */
	assert_int_equal(fd_write_all(store, slice_text(OPENAI "value newer\nend\n")), 0);
	described(place, "service openai\n");
	revealed(place, "openai api.openai.com 443", 0, "Bearer newer");
}

static void test_a_large_one_comes_in_a_file(void **state)
{
	static char value[8000];
	const struct place *place = *state;
	auto_buf struct buf text = {0}, header = {0};
	struct chan_message message;
	autofd int store = -1, file = -1;

	memset(value, 'v', sizeof(value) - 1);
	assert_int_equal(buf_append(&text, slice_text(OPENAI "value ")), 0);
	assert_int_equal(buf_append(&text, slice_text(value)), 0);
	assert_int_equal(buf_append(&text, slice_text("\nend\n")), 0);
	store = feed(place, 8, buf_text(&text));
	described(place, "service openai\n");
	done(place, 8, 0);
	assert_int_equal(
		chan_send(place->proxy, CHAN_VAULT_REVEAL, 1, 0, slice_text("openai api.openai.com 443"), -1),
		0);
	receive(place->proxy, CHAN_VAULT_HEADER, &message, &file);
	assert_true(message.code == 0 && message.body_len == 0 && file >= 0);
	assert_int_equal(lseek(file, 0, SEEK_SET), 0);
	assert_int_equal(fd_read_all(file, 65536, &header), 0);
	assert_int_equal(header.len, strlen("Bearer ") + sizeof(value) - 1);
}

static void test_bad_words(void **state)
{
	const struct place *place = *state;
	struct chan_message message;
	int fd = -1, store = feed(place, 9, OPENAI "value real\nnonsense\nend\n");

	described(place, "");
	receive(place->channel, CHAN_VAULT_DONE, &message, &fd);
	assert_int_equal(message.code, EINVAL);
	assert_non_null(strstr(message.body, "line 7"));
	close(store);
	revealed(place, "openai api.openai.com 443", ENOENT, "");
	/* One that breaks off has said nothing. */
	close(feed(place, 10, OPENAI "value real\n"));
	done(place, 10, EPIPE);
	revealed(place, "openai api.openai.com 443", ENOENT, "");
}

/* A store whose word does not count any more hears so: nobody reads its pipe. */
static void test_a_store_is_let_go(void **state)
{
	const struct place *place = *state;
	autofd int first = feed(place, 11, OPENAI "value real\nend\n"), second = -1;
	struct pollfd left = {.fd = first};

	described(place, "service openai\n");
	done(place, 11, 0);
	second = feed(place, 12, "service openai\nforget\nend\n");
	described(place, "");
	done(place, 12, 0);
	assert_int_equal(poll(&left, 1, LIMIT_MS), 1);
	assert_true(left.revents & POLLERR);
	revealed(place, "openai api.openai.com 443", ENOENT, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_reveal, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_large_one_comes_in_a_file, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_bad_words, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_store_is_let_go, set_up, tear_down),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
