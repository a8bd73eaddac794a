#include "image/cpio.h"

#include "unit.h"

#include <stdio.h>
#include <string.h>

static void test_small_archive(void **state)
{
	auto_buf struct buf archive = {0};
	static const char file_head[] = "070701"
					"00000000000081ed00000000000000000000000100000000"
					"00000005000000000000000000000000000000000000000500000000"
					"init";

	(void)state;
	assert_int_equal(cpio_add_file(&archive, "init", 0755, slice_text("hello")), 0);
	assert_memory_equal(buf_text(&archive), file_head, sizeof(file_head));
	/* 110 bytes of head and 5 of name are padded to 116, then the content to 8 more */
	assert_memory_equal(buf_text(&archive) + 116, "hello\0\0\0", 8);
	assert_int_equal(archive.len, 124);
	assert_int_equal(cpio_end(&archive), 0);
	assert_int_equal(archive.len, 512);
	assert_memory_equal(buf_text(&archive) + 124 + 110, "TRAILER!!!", 11);
}

static void test_kinds(void **state)
{
	auto_buf struct buf archive = {0};

	(void)state;
	assert_int_equal(cpio_add_dir(&archive, "dev", 0755), 0);
	assert_memory_equal(buf_text(&archive) + 14, "000041ed", 8);
	buf_clear(&archive);
	assert_int_equal(cpio_add_char_device(&archive, "dev/console", 0600, 5, 1), 0);
	assert_memory_equal(buf_text(&archive) + 14, "00002180", 8);
	assert_memory_equal(buf_text(&archive) + 78, "0000000500000001", 16);
}

/* The system's own cpio is the judge, where there is one. */
static void test_other_reader(void **state)
{
	auto_buf struct buf archive = {0};
	char line[64] = "", path[] = "/tmp/sbx-test-XXXXXX", command[128];
	int fd = mkstemp(path);
	FILE *list;

	(void)state;
	if (system("command -v cpio >/dev/null") != 0)
		skip();
	assert_int_equal(cpio_add_dir(&archive, "dev", 0755), 0);
	assert_int_equal(cpio_add_file(&archive, "dev/x", 0600, slice_text("1234567")), 0);
	assert_int_equal(cpio_end(&archive), 0);
	assert_int_equal(write(fd, buf_text(&archive), archive.len), archive.len);
	close(fd);
	snprintf(command, sizeof(command), "cpio --quiet -t <%s; cpio --quiet -i --to-stdout dev/x <%s", path,
		 path);
	list = popen(command, "r");
	assert_non_null(list);
	assert_int_equal(fread(line, 1, sizeof(line) - 1, list), strlen("dev\ndev/x\n1234567"));
	assert_string_equal(line, "dev\ndev/x\n1234567");
	assert_int_equal(pclose(list), 0);
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_small_archive),
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_other_reader),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
