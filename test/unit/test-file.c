#include "base/fd.h"
#include "base/file.h"

#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

struct folder {
	char path[64];
	int fd;
};

static int setup(void **state)
{
	struct folder *folder = calloc(1, sizeof(*folder));

	strcpy(folder->path, "/tmp/sbx-test-XXXXXX");
	assert_non_null(mkdtemp(folder->path));
	folder->fd = file_open_dir(AT_FDCWD, folder->path);
	assert_true(folder->fd >= 0);
	*state = folder;
	return 0;
}

static int teardown(void **state)
{
	struct folder *folder = *state;
	int r = file_remove_tree(AT_FDCWD, folder->path, NULL);

	close(folder->fd);
	free(folder);
	return r;
}

static void test_atomic(void **state)
{
	struct folder *folder = *state;
	auto_buf struct buf buf = {0};

	assert_int_equal(file_write_atomic(folder->fd, "a", 0600, slice_text("one"), NULL), 0);
	assert_int_equal(file_write_atomic(folder->fd, "a", 0600, slice_text("two"), NULL), 0);
	assert_int_equal(file_read(folder->fd, "a", 100, &buf), 0);
	assert_string_equal(buf_text(&buf), "two");
	assert_int_equal(faccessat(folder->fd, ".a.new", F_OK, 0), -1);
	buf_clear(&buf);
	assert_int_equal(file_read(folder->fd, "a", 2, &buf), -EFBIG);
	assert_int_equal(file_read(folder->fd, "none", 2, &buf), -ENOENT);
	assert_int_equal(symlinkat("a", folder->fd, "link"), 0);
	assert_int_equal(file_read(folder->fd, "link", 100, &buf), -ELOOP);
}

static void test_write_fails_whole(void **state)
{
	struct folder *folder = *state;
	struct err err;

	assert_true(file_write_atomic(folder->fd, "no/such", 0600, slice_text("x"), &err) < 0);
	assert_non_null(strstr(err.text, "no/such"));
}

static void test_remove_tree_keeps_link_targets(void **state)
{
	struct folder *folder = *state;

	assert_int_equal(mkdirat(folder->fd, "keep", 0700), 0);
	assert_int_equal(file_write_atomic(folder->fd, "keep_file", 0600, slice_text("x"), NULL), 0);
	assert_int_equal(mkdirat(folder->fd, "tree", 0700), 0);
	assert_int_equal(mkdirat(folder->fd, "tree/deep", 0700), 0);
	assert_int_equal(symlinkat("../keep", folder->fd, "tree/link"), 0);
	assert_int_equal(linkat(folder->fd, "keep_file", folder->fd, "tree/deep/hard", 0), 0);
	assert_int_equal(file_remove_tree(folder->fd, "tree", NULL), 0);
	assert_int_equal(faccessat(folder->fd, "tree", F_OK, 0), -1);
	assert_int_equal(faccessat(folder->fd, "keep", F_OK, 0), 0);
	assert_int_equal(faccessat(folder->fd, "keep_file", F_OK, 0), 0);
	assert_int_equal(file_remove_tree(folder->fd, "tree", NULL), 0);
}

static void test_copy_sparse(void **state)
{
	struct folder *folder = *state;
	autofd int source = openat(folder->fd, "source", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	autofd int target = openat(folder->fd, "target", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	struct stat info;
	char text[4] = "";

	assert_int_equal(ftruncate(source, 64 << 20), 0);
	assert_int_equal(pwrite(source, "end", 3, (64 << 20) - 3), 3);
	assert_int_equal(pwrite(source, "mid", 3, 32 << 20), 3);
	assert_int_equal(file_copy_sparse(source, target, NULL), 0);
	assert_int_equal(fstat(target, &info), 0);
	assert_int_equal(info.st_size, 64 << 20);
	assert_true(info.st_blocks * 512 < 8 << 20);
	assert_int_equal(pread(target, text, 3, 32 << 20), 3);
	assert_string_equal(text, "mid");
	assert_int_equal(pread(target, text, 3, (64 << 20) - 3), 3);
	assert_string_equal(text, "end");
}

static void test_fds_travel(void **state)
{
	int pair[2], got[4], sent[2] = {0, 1};
	size_t count = 0;
	char bytes[8];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(fd_send(pair[0], slice_text("hi"), sent, 2), 2);
	assert_int_equal(fd_receive(pair[1], bytes, sizeof(bytes), got, 4, &count), 2);
	assert_int_equal(count, 2);
	assert_true(fcntl(got[0], F_GETFD) & FD_CLOEXEC);
	close(got[0]);
	close(got[1]);
	assert_int_equal(fd_send(pair[0], slice_text("hi"), sent, 2), 2);
	assert_int_equal(fd_receive(pair[1], bytes, sizeof(bytes), got, 1, &count), -EMSGSIZE);
	assert_int_equal(fd_send(pair[0], slice_text("too long a message"), NULL, 0), 18);
	assert_int_equal(fd_receive(pair[1], bytes, sizeof(bytes), got, 1, &count), -EMSGSIZE);
	close(pair[0]);
	close(pair[1]);
}

static void test_unix_socket_in_a_long_path(void **state)
{
	struct folder *folder = *state;
	char deep[180] = "";
	autofd int dir = -1, listener = -1, client = -1;

	memset(deep, 'd', sizeof(deep) - 1);
	assert_int_equal(mkdirat(folder->fd, deep, 0700), 0);
	dir = file_open_dir(folder->fd, deep);
	listener = fd_listen_unix(dir, "x.sock");
	assert_true(listener >= 0);
	client = fd_connect_unix(dir, "x.sock");
	assert_true(client >= 0);
	assert_int_equal(fd_connect_unix(dir, "none.sock"), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_atomic, setup, teardown),
		cmocka_unit_test_setup_teardown(test_write_fails_whole, setup, teardown),
		cmocka_unit_test_setup_teardown(test_remove_tree_keeps_link_targets, setup, teardown),
		cmocka_unit_test_setup_teardown(test_copy_sparse, setup, teardown),
		cmocka_unit_test(test_fds_travel),
		cmocka_unit_test_setup_teardown(test_unix_socket_in_a_long_path, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
