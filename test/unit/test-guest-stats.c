#include "supervisor/guest-stats.h"

#include "unit.h"

#include <errno.h>

static const char good[] =
	"memory-total-kib 2000\nmemory-available-kib 1500\ndisk-total-kib 30\ndisk-used-kib 10\n"
	"load 0.42\nprocesses 12\nuptime-seconds 99\n";

static void test_good(void **state)
{
	struct guest_stats stats;

	(void)state;
	assert_int_equal(guest_stats_parse(slice_text(good), &stats), 0);
	assert_int_equal(stats.memory_total_kib, 2000);
	assert_int_equal(stats.memory_available_kib, 1500);
	assert_int_equal(stats.disk_total_kib, 30);
	assert_int_equal(stats.disk_used_kib, 10);
	assert_int_equal(stats.load_hundredths, 42);
	assert_int_equal(stats.processes, 12);
	assert_int_equal(stats.uptime_seconds, 99);
}

static void test_unknown_lines(void **state)
{
	auto_buf struct buf text = {0};
	struct guest_stats stats;

	(void)state;
	assert_int_equal(buf_printf(&text, "new 1\n\nnothing\n%s", good), 0);
	assert_int_equal(guest_stats_parse(buf_slice(&text), &stats), 0);
}

/* Each line is needed, once, and each is refused with each of these values. */
static void test_refused(void **state)
{
	static const char *const values[] = {"",         "-1",  "x", "1 2", "99999999999999999999",
					     "1\033[2J", "0x10"};
	const char *line = good;

	(void)state;
	while (*line) {
		const char *end = strchr(line, '\n') + 1, *space = strchr(line, ' ') + 1;
		auto_buf struct buf missing = {0}, twice = {0};
		struct guest_stats stats;

		assert_int_equal(buf_printf(&missing, "%.*s%s", (int)(line - good), good, end), 0);
		assert_int_equal(guest_stats_parse(buf_slice(&missing), &stats), -EBADMSG);
		assert_int_equal(buf_printf(&twice, "%s%.*s", good, (int)(end - line), line), 0);
		assert_int_equal(guest_stats_parse(buf_slice(&twice), &stats), -EBADMSG);
		for (size_t i = 0; i < array_len(values); i++) {
			auto_buf struct buf wrong = {0};

			assert_int_equal(
				buf_printf(&wrong, "%.*s%s\n%s", (int)(space - good), good, values[i], end),
				0);
			assert_int_equal(guest_stats_parse(buf_slice(&wrong), &stats), -EBADMSG);
		}
		line = end;
	}
}

static void test_impossible(void **state)
{
	struct guest_stats stats;

	(void)state;
	assert_int_equal(guest_stats_parse(slice_text(""), &stats), -EBADMSG);
	assert_int_equal(guest_stats_parse(
				 slice_text("memory-total-kib 1\nmemory-available-kib 2\ndisk-total-kib 30\n"
					    "disk-used-kib 10\nload 0.42\nprocesses 12\nuptime-seconds 99\n"),
				 &stats),
			 -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_unknown_lines),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_impossible),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
