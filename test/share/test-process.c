/* The server as a process: the channel, the handshake of its port, its jail, and a guest that writes what it
 * likes. */
#include "base/fd.h"
#include "base/file.h"
#include "base/spawn.h"
#include "share/share-main.h"
#include "wire/chan.h"
#include "wire/port.h"
#include "wire/share.h"

#include "../unit/unit.h"

#include "../lib/fuse-client.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

enum { ROOT = 1, LIMIT_MS = 10000, BIG_BYTES = 1 << 20 };

struct place {
	char path[64];
	int dir, channel, port;
	pid_t pid;
	struct buf packets, answers; /* from the server: as it came, and without the packets around it */
	struct client client;
};

/* False at the end. */
static bool receive(struct place *place)
{
	struct pollfd ready = {.fd = place->port, .events = POLLIN};
	struct port_packet packet;
	enum parsed parsed;
	size_t used;

	assert_int_equal(poll(&ready, 1, LIMIT_MS), 1);
	if (buf_read_fd(&place->packets, place->port, 65536) <= 0)
		return false;
	do {
		parsed = port_parse(buf_slice(&place->packets), &packet, &used);
		assert_int_not_equal(parsed, PARSED_BAD);
		if (parsed == PARSED_OK && packet.kind == PORT_DATA)
			(void)buf_append(&place->answers, packet.data);
		if (parsed == PARSED_OK && packet.kind == PORT_HELLO) {
			auto_buf struct buf answer = {0};

			assert_int_equal(port_append_answer(&answer, packet.nonce), 0);
			assert_int_equal(fd_write_all(place->port, buf_slice(&answer)), 0);
			return true;
		}
		buf_drop(&place->packets, used);
	} while (parsed == PARSED_OK);
	return true;
}

static void start(struct place *place, const char *mode, const char *root_path)
{
	const char *const argv[] = {"sbx-share", mode, NULL};
	autofd int root = open(root_path, O_PATH | O_CLOEXEC);
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	struct spawn spawn = {
		.program = getenv("SBX_TEST_SHARE"),
		.argv = argv,
		.fds = {-1, -1, STDERR_FILENO, [SHARE_CHANNEL_FD] = pair[1], [SHARE_ROOT_FD] = root},
		.n_fds = SHARE_FDS,
		.death_signal = SIGKILL};
	assert_int_equal(spawn_start(&spawn, &place->pid, NULL), 0);
	close(pair[1]);
	place->channel = pair[0];
}

static void tell(const struct place *place, enum chan_kind kind, uint32_t code, int fd)
{
	assert_int_equal(chan_send(place->channel, kind, 7, code, slice_of("", 0), fd), 0);
}

/* Waits for the answer to what was asked with a number, 7, and gives its code. */
static uint32_t hear_done(const struct place *place)
{
	struct pollfd ready = {.fd = place->channel, .events = POLLIN};
	struct chan_message message;
	int fd;

	assert_int_equal(poll(&ready, 1, LIMIT_MS), 1);
	assert_int_equal(chan_receive(place->channel, &message, &fd), 1);
	assert_int_equal(message.kind, CHAN_SHARE_DONE);
	assert_int_equal(message.id, 7);
	return message.code;
}

/* A message from the server, whole. */
static void take_message(struct place *place, struct buf *into)
{
	uint32_t len = 0;

	do {
		if (place->answers.len >= sizeof(len))
			memcpy(&len, buf_text(&place->answers), sizeof(len));
		if (len > 0 && place->answers.len >= len)
			break;
	} while (receive(place));
	assert_true(len > 0 && place->answers.len >= len);
	(void)buf_append(into, slice_of(buf_text(&place->answers), len));
	buf_drop(&place->answers, len);
}

static void talk(struct client *client, struct slice message, bool has_answer, struct buf *answer)
{
	struct place *place = client->server;

	struct fuse_out_header head = {.unique = 0};

	assert_int_equal(fd_write_all(place->port, message), 0);
	/* Of what it says of its own accord, nothing is an answer. */
	while (has_answer && head.unique == 0) {
		buf_clear(answer);
		take_message(place, answer);
		memcpy(&head, buf_text(answer), sizeof(head));
	}
}

static bool is_welcomed_as_continued(struct place *place)
{
	auto_buf struct buf message = {0};
	struct fuse_out_header head;
	struct share_welcome welcome;

	take_message(place, &message);
	assert_int_equal(message.len, sizeof(head) + sizeof(welcome));
	memcpy(&head, buf_text(&message), sizeof(head));
	memcpy(&welcome, buf_text(&message) + sizeof(head), sizeof(welcome));
	assert_int_equal(head.unique, 0);
	assert_int_equal(head.error, SHARE_NOTIFY_WELCOME);
	return welcome.is_continued != 0;
}

/* Gives the server a port and greets it. */
static bool connect_port(struct place *place, enum share_guest guest)
{
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	tell(place, CHAN_SHARE_PORT, guest, pair[1]);
	close(pair[1]);
	if (place->port >= 0)
		close(place->port);
	place->port = pair[0];
	buf_clear(&place->packets);
	buf_clear(&place->answers);
	/* What an earlier session has left on the port is passed over. */
	assert_int_equal(fd_write_all(place->port, slice_text("left from before")), 0);
	assert_true(receive(place));
	buf_clear(&place->packets);
	return is_welcomed_as_continued(place);
}

static int begin(void **state, const char *mode)
{
	static struct place place;

	place = (struct place){.path = "/tmp/test-share-XXXXXX", .port = -1};
	assert_non_null(mkdtemp(place.path));
	place.dir = file_open_dir(AT_FDCWD, place.path);
	assert_int_equal(file_write_atomic(place.dir, "file", 0644, slice_text("content"), NULL), 0);
	start(&place, mode, place.path);
	assert_false(connect_port(&place, SHARE_GUEST_NEW));
	place.client = (struct client){.talk = talk, .server = &place};
	assert_int_equal(client_init(&place.client), 0);
	*state = &place;
	return 0;
}

static int set_up(void **state)
{
	return begin(state, "rw");
}

static int set_up_read_only(void **state)
{
	return begin(state, "ro");
}

static int tear_down(void **state)
{
	struct place *place = *state;

	close(place->port);
	close(place->channel);
	kill(place->pid, SIGKILL);
	waitpid(place->pid, NULL, 0);
	buf_done(&place->packets);
	buf_done(&place->answers);
	buf_done(&place->client.answer);
	close(place->dir);
	return file_remove_tree(AT_FDCWD, place->path, NULL);
}

/* Everything that an operation calls on is left to it by the jail. */
static void test_every_operation(void **state)
{
	struct place *place = *state;
	struct client *client = &place->client;
	struct fuse_setattr_in all = {.valid = FATTR_MODE | FATTR_SIZE | FATTR_ATIME | FATTR_MTIME_NOW |
					       FATTR_MTIME,
				      .mode = 0600,
				      .size = 100};
	struct fuse_setattr_in given = {.valid = FATTR_UID, .uid = 5};
	struct fuse_fallocate_in room = {.length = 8192};
	struct fuse_lseek_in hole = {.whence = SEEK_HOLE};
	struct fuse_copy_file_range_in copy = {.len = 50};
	struct fuse_read_in list = {.size = 4096};
	struct fuse_fsync_in sync_in = {.fh = 0};
	struct fuse_release_in release = {.fh = 0};
	struct {
		uint32_t size, flags;
	} set = {.size = 5};
	struct fuse_getxattr_in get = {.size = 100};
	struct fuse_link_in link = {.oldnodeid = 0};
	uint64_t node, handle, folder;

	assert_int_equal(client_mkdir(client, ROOT, "folder", &folder), 0);
	assert_int_equal(client_create(client, ROOT, "made", O_RDWR, 0644, &node, &handle), 0);
	room.fh = hole.fh = copy.fh_in = copy.fh_out = sync_in.fh = release.fh = handle;
	copy.nodeid_out = link.oldnodeid = node;
	copy.off_out = 4096;
	assert_int_equal(client_write(client, node, handle, 0, slice_text("bytes")), 0);
	assert_int_equal(client_ask(client, FUSE_SETATTR, node, STRUCT(all), NONE, NONE), 0);
	assert_int_equal(client_ask(client, FUSE_SETATTR, node, STRUCT(given), NONE, NONE), 0);
	assert_int_equal(client_ask(client, FUSE_FALLOCATE, node, STRUCT(room), NONE, NONE), 0);
	assert_int_equal(client_ask(client, FUSE_LSEEK, node, STRUCT(hole), NONE, NONE), 0);
	assert_int_equal(client_ask(client, FUSE_COPY_FILE_RANGE, node, STRUCT(copy), NONE, NONE), 0);
	assert_int_equal(client_ask(client, FUSE_FSYNC, node, STRUCT(sync_in), NONE, NONE), 0);
	assert_int_equal(client_ask(client, FUSE_SETXATTR, node, STRUCT(set), client_name("user.a"),
				    slice_text("value")),
			 0);
	assert_int_equal(client_ask(client, FUSE_GETXATTR, node, STRUCT(get), client_name("user.a"), NONE),
			 0);
	assert_int_equal(client_ask(client, FUSE_LISTXATTR, node, STRUCT(get), NONE, NONE), 0);
	assert_int_equal(client_ask(client, FUSE_REMOVEXATTR, node, client_name("user.a"), NONE, NONE), 0);
	assert_int_equal(client_ask(client, FUSE_STATFS, ROOT, NONE, NONE, NONE), 0);
	assert_int_equal(client_ask(client, FUSE_LINK, folder, STRUCT(link), client_name("again"), NONE), 0);
	assert_int_equal(client_rename(client, ROOT, "made", folder, "moved", 0), 0); /* Landlock: REFER */
	assert_int_equal(
		client_ask(client, FUSE_SYMLINK, ROOT, client_name("link"), client_name("target"), NONE), 0);
	assert_int_equal(client_ask(client, FUSE_READLINK, client_entry(client, NULL), NONE, NONE, NONE), 0);
	assert_int_equal(client_open(client, FUSE_OPENDIR, folder, 0, &list.fh), 0);
	assert_int_equal(client_ask(client, FUSE_READDIRPLUS, folder, STRUCT(list), NONE, NONE), 0);
	assert_true(client->body.len > 0);
	assert_int_equal(client_ask(client, FUSE_RELEASE, node, STRUCT(release), NONE, NONE), 0);
	assert_int_equal(client_ask(client, FUSE_UNLINK, folder, client_name("again"), NONE, NONE), 0);
	assert_int_equal(client_ask(client, FUSE_UNLINK, folder, client_name("moved"), NONE, NONE), 0);
	assert_int_equal(client_ask(client, FUSE_RMDIR, ROOT, client_name("folder"), NONE, NONE), 0);
}

static void test_large_messages(void **state)
{
	struct place *place = *state;
	struct client *client = &place->client;
	autofree char *bytes = malloc(BIG_BYTES);
	uint64_t node, handle;

	for (int i = 0; i < BIG_BYTES; i++)
		bytes[i] = (char)(i * 31);
	assert_int_equal(client_create(client, ROOT, "big", O_RDWR, 0644, &node, &handle), 0);
	for (uint64_t i = 0; i < 8; i++)
		assert_int_equal(
			client_write(client, node, handle, i * BIG_BYTES, slice_of(bytes, BIG_BYTES)), 0);
	assert_int_equal(client_read(client, node, handle, 5 * BIG_BYTES, BIG_BYTES), 0);
	assert_int_equal(client->body.len, BIG_BYTES);
	assert_memory_equal(client->body.ptr, bytes, BIG_BYTES);
}

static void expect_jailed(const char *thread)
{
	auto_buf struct buf status = {0};
	char path[300];

	snprintf(path, sizeof(path), "%s/status", thread);
	autofd int fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_int_equal(fd_read_all(fd, 65536, &status), 0);
	assert_non_null(strstr(buf_text(&status), "Seccomp:\t2"));
	assert_non_null(strstr(buf_text(&status), "NoNewPrivs:\t1"));
	assert_non_null(strstr(buf_text(&status), "CapEff:\t0000000000000000"));
}

/* Every thread of it. */
static void test_jail(void **state)
{
	struct place *place = *state;
	const struct dirent *entry;
	unsigned n_threads = 0;
	char path[64];
	uint64_t node;

	snprintf(path, sizeof(path), "/proc/%d/task", place->pid);
	auto_dir DIR *dir = opendir(path);
	while ((entry = readdir(dir))) {
		char thread[280];

		if (entry->d_name[0] == '.')
			continue;
		snprintf(thread, sizeof(thread), "/proc/%d/task/%.200s", place->pid, entry->d_name);
		expect_jailed(thread);
		n_threads++;
	}
	assert_true(n_threads > 1);
	assert_int_equal(client_look(&place->client, ROOT, "file", &node), 0);
}

/* What threads do is left to them: what is not in memory is read, and what is large is written, by one. */
static void test_threads(void **state)
{
	struct place *place = *state;
	struct client *client = &place->client;
	struct fuse_fsync_in sync_in = {.fh = 0};
	autofree char *bytes = calloc(1, BIG_BYTES);
	uint64_t node, handle;

	assert_int_equal(client_create(client, ROOT, "big", O_RDWR, 0644, &node, &handle), 0);
	assert_int_equal(client_write(client, node, 0, 0, slice_of(bytes, BIG_BYTES)), 0);
	assert_int_equal(client_ask(client, FUSE_FSYNC, node, STRUCT(sync_in), NONE, NONE), 0);
	assert_int_equal(client_ask(client, FUSE_FSYNCDIR, ROOT, STRUCT(sync_in), NONE, NONE), 0);
	{
		autofd int fd = openat(place->dir, "big", O_RDONLY | O_CLOEXEC);

		assert_int_equal(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
	}
	assert_int_equal(client_read(client, node, 0, 0, BIG_BYTES), 0);
	assert_int_equal(client->body.len, BIG_BYTES);
}

static void test_read_only(void **state)
{
	struct place *place = *state;
	uint64_t node, handle;

	assert_int_equal(client_create(&place->client, ROOT, "made", O_RDWR, 0644, &node, &handle), -EROFS);
	assert_int_equal(client_look(&place->client, ROOT, "file", &node), 0);
	assert_int_equal(client_open(&place->client, FUSE_OPEN, node, O_RDONLY, &handle), 0);
	assert_int_equal(client_read(&place->client, node, handle, 0, 10), 0);
}

/* A guest that asks without taking the answers is not read any further; and is served when it takes them. */
static void test_flood(void **state)
{
	struct place *place = *state;
	struct fuse_in_header head = {.len = sizeof(head) + 5, .opcode = FUSE_LOOKUP, .nodeid = ROOT};
	auto_buf struct buf many = {0};
	size_t expected = 0, n_messages = 0, sent = 0;

	assert_int_equal(fd_set_nonblock(place->port), 0);
	for (; n_messages < 100000; n_messages++) {
		head.unique = n_messages + 2;
		(void)buf_append(&many, STRUCT(head));
		(void)buf_append(&many, client_name("file"));
	}
	expected = n_messages * (sizeof(struct fuse_out_header) + sizeof(struct fuse_entry_out));
	while (place->answers.len < expected) {
		ssize_t count = many.len > 0 ? buf_write_fd(&many, place->port) : 0;

		sent += count > 0 ? (size_t)count : 0;
		if (count == -EAGAIN || many.len == 0)
			assert_true(receive(place));
	}
	assert_int_equal(place->answers.len, expected);
	assert_true(sent == n_messages * (sizeof(head) + 5));
}

static void expect_end(struct place *place, bool is_good)
{
	int status = 0;

	assert_int_equal(spawn_wait(place->pid, LIMIT_MS, &status), 0);
	assert_true(WIFEXITED(status) && (WEXITSTATUS(status) == 0) == is_good);
	place->pid = fork(); /* something for the tear-down to end */
	if (place->pid == 0)
		_exit(0);
}

/* What is no message ends the session; the next one is served. */
static void test_garbage(void **state)
{
	struct place *place = *state;
	static const uint32_t lengths[] = {0xffffffff, 3};
	uint64_t node;

	assert_int_equal(fd_write_all(place->port, slice_of(lengths, sizeof(lengths))), 0);
	while (receive(place))
		;
	assert_false(connect_port(place, SHARE_GUEST_NEW));
	assert_int_equal(client_init(&place->client), 0);
	assert_int_equal(client_look(&place->client, ROOT, "file", &node), 0);
}

/* Of what another process does, the guest is told; of what it has done itself, it is not. */
static void test_host_changes(void **state)
{
	struct place *place = *state;
	auto_buf struct buf message = {0};
	struct fuse_notify_inval_inode_out inode;
	struct fuse_out_header head = {.unique = 0};
	uint64_t node, own, handle;

	assert_int_equal(client_look(&place->client, ROOT, "file", &node), 0);
	assert_int_equal(client_create(&place->client, ROOT, "own", O_RDWR, 0644, &own, &handle), 0);
	assert_int_equal(client_write(&place->client, own, handle, 0, slice_text("bytes")), 0);
	autofd int fd = openat(place->dir, "file", O_WRONLY | O_CLOEXEC);
	assert_int_equal(fd_write_all(fd, slice_text("changed")), 0);
	while (head.error != FUSE_NOTIFY_INVAL_INODE) {
		buf_clear(&message);
		take_message(place, &message);
		memcpy(&head, buf_text(&message), sizeof(head));
		assert_int_equal(head.unique, 0);
	}
	assert_int_equal(message.len, sizeof(head) + sizeof(inode));
	memcpy(&inode, buf_text(&message) + sizeof(head), sizeof(inode));
	assert_int_equal(inode.ino, node);
	assert_int_equal(inode.off, 0);
}

static void test_end_of_channel(void **state)
{
	struct place *place = *state;

	assert_int_equal(shutdown(place->channel, SHUT_RDWR), 0);
	expect_end(place, true);
}

/* Nothing that is wrong on the channel is passed over. */
static void test_nonsense_on_channel(void **state)
{
	struct place *place = *state;

	tell(place, CHAN_SHARE_PORT, SHARE_GUEST_NEW, -1);
	expect_end(place, false);
}

static void test_wrong_kind_on_channel(void **state)
{
	struct place *place = *state;

	tell(place, CHAN_STREAM, 0, place->dir);
	expect_end(place, false);
}

static void restart(struct place *place)
{
	close(place->channel);
	expect_end(place, true);
	waitpid(place->pid, NULL, 0);
	start(place, "rw", place->path);
}

/* The next server goes on where the last one was; one that does not know where begins with other numbers. */
static void test_next_server(void **state)
{
	struct place *place = *state;
	autofd int saved = memfd_create("state", MFD_CLOEXEC);
	uint64_t node, other;

	assert_int_equal(client_look(&place->client, ROOT, "file", &node), 0);
	tell(place, CHAN_SHARE_SAVE, 0, saved);
	assert_int_equal(hear_done(place), 0);
	restart(place);
	tell(place, CHAN_SHARE_STATE, 0, saved);
	assert_true(connect_port(place, SHARE_GUEST_CONTINUES));
	assert_int_equal(client_ask(&place->client, FUSE_GETATTR, node, NONE, NONE, NONE), 0);
	restart(place);
	assert_false(connect_port(place, SHARE_GUEST_CONTINUES));
	assert_int_equal(client_ask(&place->client, FUSE_GETATTR, node, NONE, NONE, NONE), -ESTALE);
	assert_int_equal(client_look(&place->client, ROOT, "file", &other), 0);
	assert_int_not_equal(other, node);
	assert_int_equal(ftruncate(saved, 10), 0);
	restart(place);
	tell(place, CHAN_SHARE_STATE, 0, saved);
	assert_false(connect_port(place, SHARE_GUEST_CONTINUES));
	assert_int_equal(client_look(&place->client, ROOT, "file", &other), 0);
	tell(place, CHAN_SHARE_SAVE, 0, place->dir);
	assert_int_equal(hear_done(place), EBADF);
}

static void expect_diff(const struct place *place, const char *wanted)
{
	autofd int written = memfd_create("diff", MFD_CLOEXEC);
	char text[100] = "";

	tell(place, CHAN_SHARE_DIFF, 0, written);
	assert_int_equal(hear_done(place), 0);
	assert_true(pread(written, text, sizeof(text) - 1, 0) > 0);
	assert_string_equal(text, wanted);
}

static void test_diff(void **state)
{
	struct place *place = *state;
	uint64_t node;

	assert_int_equal(client_look(&place->client, ROOT, "file", &node), 0);
	assert_int_equal(client_write(&place->client, node, 0, 0, slice_text("changed it")), 0);
	expect_diff(place, "{\"path\":\"file\",\"change\":\"modified\",\"size\":10}\n");
}

/* What is refused is told, and what the supervisor says counts from then on. */
static void test_guard(void **state)
{
	struct place *place = *state;
	struct pollfd ready = {.fd = place->channel, .events = POLLIN};
	struct chan_message message;
	uint64_t node, handle;
	int fd;

	assert_int_equal(chan_send(place->channel, CHAN_SHARE_GUARD, 0, 0, slice_text("guard secrets"), -1),
			 0);
	tell(place, CHAN_SHARE_SAVE, 0, place->dir);
	assert_int_equal(hear_done(place), EBADF); /* the rule has been read by now */
	assert_int_equal(client_mkdir(&place->client, ROOT, "secrets", &node), -EACCES);
	assert_int_equal(poll(&ready, 1, LIMIT_MS), 1);
	assert_int_equal(chan_receive(place->channel, &message, &fd), 1);
	assert_int_equal(message.kind, CHAN_SHARE_NOTE);
	assert_string_equal(message.body,
			    "{\"event\":\"guard\",\"path\":\"secrets\",\"operation\":\"mkdir\"}");
	assert_int_equal(linkat(place->dir, "file", place->dir, "second", 0), 0);
	assert_int_equal(client_look(&place->client, ROOT, "file", &node), 0);
	assert_int_equal(client_write(&place->client, node, 0, 0, slice_text("changed")), 0);
	assert_int_equal(client_mkdir(&place->client, ROOT, ".git", &node), 0);
	assert_int_equal(client_create(&place->client, node, "config.lock", O_RDWR, 0644, &handle, &handle),
			 0);
	assert_int_equal(client_rename(&place->client, node, "config.lock", node, "config", 0), 0);
}

/* One file that is shared alone. */
static void test_single_file(void **state)
{
	struct place *place = *state;
	char path[128];
	uint64_t node;

	snprintf(path, sizeof(path), "%s/file", place->path);
	close(place->channel);
	expect_end(place, true);
	waitpid(place->pid, NULL, 0);
	start(place, "rw", path);
	assert_false(connect_port(place, SHARE_GUEST_NEW));
	assert_int_equal(client_init(&place->client), 0);
	assert_int_equal(client_ask(&place->client, FUSE_GETATTR, ROOT, NONE, NONE, NONE), 0);
	assert_int_equal(client_look(&place->client, ROOT, "file", &node), -ENOTDIR);
	assert_int_equal(client_open(&place->client, FUSE_OPEN, ROOT, O_RDWR, &node), 0);
	assert_int_equal(client_write(&place->client, ROOT, node, 0, slice_text("C")), 0);
	assert_int_equal(client_read(&place->client, ROOT, node, 0, 100), 0);
	assert_true(slice_is(place->client.body, "Content"));
	expect_diff(place, "{\"path\":\".\",\"change\":\"modified\",\"size\":7}\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_every_operation, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_large_messages, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_jail, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_threads, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_read_only, set_up_read_only, tear_down),
		cmocka_unit_test_setup_teardown(test_flood, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_garbage, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_host_changes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_end_of_channel, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_nonsense_on_channel, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_wrong_kind_on_channel, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_next_server, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_diff, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_guard, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_single_file, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
