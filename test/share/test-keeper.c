/* The keeper as a process: it starts a server for a folder, replaces what ends, and takes everything with it.
 */
#include "base/fd.h"
#include "base/spawn.h"
#include "keeper/keeper.h"
#include "wire/chan.h"
#include "wire/share.h"

#include "../unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

enum { LIMIT_MS = 10000, RESTARTS_MAX = 5 };

struct place {
	char path[64];
	int channel;
	pid_t keeper;
};

static void receive(const struct place *place, struct chan_message *ret, int *ret_fd)
{
	struct pollfd ready = {.fd = place->channel, .events = POLLIN};

	assert_int_equal(poll(&ready, 1, LIMIT_MS), 1);
	assert_int_equal(chan_receive(place->channel, ret, ret_fd), 1);
}

static void keep(const struct place *place, uint32_t id, uint32_t mode)
{
	autofd int root = open(place->path, O_PATH | O_DIRECTORY | O_CLOEXEC);

	assert_int_equal(chan_send(place->channel, CHAN_KEEP, id, mode, slice_text(""), root), 0);
}

/* Gives the server's process; *ret_channel is its channel. */
static pid_t served(const struct place *place, uint32_t id, int *ret_channel)
{
	struct chan_message message;

	receive(place, &message, ret_channel);
	assert_int_equal(message.kind, CHAN_SERVED);
	assert_int_equal(message.id, id);
	assert_true(*ret_channel >= 0);
	return (pid_t)message.code;
}

static bool ends(pid_t pid)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);
	struct pollfd ended = {.fd = fd, .events = POLLIN};
	bool has_ended = fd < 0 || poll(&ended, 1, LIMIT_MS) == 1;

	if (fd >= 0)
		close(fd);
	return has_ended;
}

static int set_up(void **state)
{
	static struct place place;
	static const char *const argv[] = {"sbx-keeper", NULL};
	struct spawn spawn = {.program = getenv("SBX_TEST_KEEPER"),
			      .argv = argv,
			      .n_fds = KEEPER_FDS,
			      .death_signal = SIGKILL};
	int pair[2];

	place = (struct place){.path = "/tmp/test-keeper-XXXXXX"};
	assert_non_null(mkdtemp(place.path));
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	memcpy(spawn.fds, (int[]){-1, -1, STDERR_FILENO, pair[1]}, 4 * sizeof(int));
	assert_int_equal(spawn_start(&spawn, &place.keeper, NULL), 0);
	close(pair[1]);
	place.channel = pair[0];
	*state = &place;
	return 0;
}

static int tear_down(void **state)
{
	struct place *place = *state;

	if (place->channel >= 0)
		close(place->channel);
	assert_true(ends(place->keeper));
	waitpid(place->keeper, NULL, 0);
	assert_int_equal(rmdir(place->path), 0);
	return 0;
}

static void test_replaces(void **state)
{
	struct place *place = *state;
	int first_channel, channel;
	pid_t first, second;

	keep(place, 3, SHARE_READ_WRITE);
	first = served(place, 3, &first_channel);
	assert_int_equal(kill(first, SIGKILL), 0);
	second = served(place, 3, &channel);
	assert_int_not_equal(first, second);
	close(first_channel);
	close(channel);
}

/* A server whose channel is closed has nobody to serve for: it ends, and another one is started. */
static void test_gives_up(void **state)
{
	struct place *place = *state;
	struct chan_message message;
	int channel;

	keep(place, 0, SHARE_READ_ONLY);
	for (int i = 0; i <= RESTARTS_MAX; i++) {
		(void)served(place, 0, &channel);
		close(channel);
	}
	receive(place, &message, &channel);
	assert_int_equal(message.kind, CHAN_FAILED);
	assert_int_equal(message.id, 0);
}

static void test_drops(void **state)
{
	struct place *place = *state;
	int channel, other_channel;
	pid_t pid, other;

	keep(place, 1, SHARE_READ_WRITE);
	pid = served(place, 1, &channel);
	keep(place, 2, SHARE_READ_WRITE);
	other = served(place, 2, &other_channel);
	assert_int_equal(chan_send(place->channel, CHAN_DROP, 1, 0, slice_text(""), -1), 0);
	assert_true(ends(pid));
	assert_int_equal(kill(other, 0), 0);
	close(channel);
	close(other_channel);
}

static void test_takes_all_with_it(void **state)
{
	struct place *place = *state;
	int channel;
	pid_t pid;

	keep(place, 15, SHARE_READ_WRITE);
	pid = served(place, 15, &channel);
	kill(place->keeper, SIGKILL);
	assert_true(ends(pid));
	close(channel);
}

/* It needs no folder, and works with what the keeper has left it. */
static void test_vault(void **state)
{
	struct place *place = *state;
	struct chan_message message;
	int file = memfd_create("test", MFD_CLOEXEC), channel, unwanted = -1;

	assert_true(file >= 0);
	assert_int_equal(chan_send(place->channel, CHAN_KEEP, KEEPER_VAULT, 0, slice_text(""), -1), 0);
	(void)served(place, KEEPER_VAULT, &channel);
	assert_int_equal(chan_send(channel, CHAN_VAULT_CA, 1, 0, slice_text("test"), file), 0);
	assert_int_equal(chan_receive(channel, &message, &unwanted), 1);
	assert_int_equal(message.kind, CHAN_VAULT_DONE);
	assert_int_equal(message.code, 0);
	assert_true(lseek(file, 0, SEEK_END) > 0);
	close(channel);
	close(file);
}

static void test_nonsense(void **state)
{
	struct place *place = *state;

	assert_int_equal(chan_send(place->channel, CHAN_KEEP, 1, SHARE_READ_WRITE, slice_text(""), -1), 0);
	assert_true(ends(place->keeper));
}

static void test_port_that_cannot_be(void **state)
{
	struct place *place = *state;

	keep(place, KEEPER_ROLES, SHARE_READ_WRITE);
	assert_true(ends(place->keeper));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_replaces, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_gives_up, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_drops, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_takes_all_with_it, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_vault, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_nonsense, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_port_that_cannot_be, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
