#include "cli/bar.h"

#include "unit.h"

#include <string.h>

static void expect(const struct bar_state *state, unsigned int columns, const char *line)
{
	auto_buf struct buf into = {0};

	assert_int_equal(bar_render(&into, state, columns), 0);
	assert_string_equal(buf_text(&into), line);
}

static void test_widths(void **state)
{
	const struct bar_state half = {.what = "installing packages", .fraction = 0.5};

	(void)state;
	expect(&half, 79, "[#########..........]  50% installing packages");
	expect(&half, 30, " 50% installing packages");
	expect(&half, 12, " 50% install");
	expect(&half, 0, "");
}

static void test_download(void **state)
{
	const struct bar_state download = {.what = "downloading",
					   .bytes = 5 << 20,
					   .bytes_wanted = 20 << 20,
					   .bytes_per_second = 1 << 20};

	(void)state;
	expect(&download, 39, "  0% downloading, 5.0 MiB of 20 MiB, 1.");
	expect(&download, 60, "[...............]   0% downloading, 5.0 MiB of 20 MiB, 1.0 M");
}

static void test_hostile(void **state)
{
	(void)state;
	expect(&(struct bar_state){.what = "a\033[2Jb", .fraction = 7}, 30, "100% a\\x1b[2Jb");
	expect(&(struct bar_state){.what = "x", .fraction = -1}, 30, "  0% x");
	expect(&(struct bar_state){.what = "äöü", .fraction = 0}, 7, "  0% äö");
}

/* Not a terminal: one line for each thing that is begun. */
static void test_plain(void **state)
{
	struct bar bar;
	char text[64] = "";
	int pipe_fds[2];

	(void)state;
	assert_int_equal(pipe(pipe_fds), 0);
	bar_open(&bar, pipe_fds[1]);
	bar_draw(&bar, &(struct bar_state){.what = "one", .fraction = 0.1});
	bar_draw(&bar, &(struct bar_state){.what = "one", .fraction = 0.2});
	bar_draw(&bar, &(struct bar_state){.what = "two", .fraction = 0.3});
	bar_close(&bar);
	assert_int_equal(read(pipe_fds[0], text, sizeof(text) - 1), 8);
	assert_string_equal(text, "one\ntwo\n");
	close(pipe_fds[0]);
	close(pipe_fds[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_widths),
		cmocka_unit_test(test_download),
		cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_plain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
