/* The file of the person's rules: what stays, what goes, and what is no rule. */
#include "cli/guard-file.h"

#include "wire/guard.h"

#include "unit.h"

#include <errno.h>

static const char text[] = "# mine\n\nguard deploy\n  allow .vscode\t\nguard deploy\n# end";

static void test_check(void **state)
{
	struct err err;

	(void)state;
	assert_int_equal(guard_file_check(slice_text(text), &err), 0);
	assert_int_equal(guard_file_check(slice_text(""), &err), 0);
	assert_int_equal(guard_file_check(slice_text("guard a\r\n"), &err), 0);
	assert_int_equal(guard_file_check(slice_text("guard a\ndeny \033b\n"), &err), -EINVAL);
	assert_non_null(strstr(err.text, "line 2"));
	assert_null(strchr(err.text, '\033'));
	assert_int_equal(guard_file_check(slice_of("guard a\0b\n", 10), &err), -EINVAL);
}

static void test_take(void **state)
{
	struct slice rest = slice_text(text), line;
	struct guard_rule rule;
	unsigned number = 0;

	(void)state;
	assert_int_equal(guard_take(&rest, &number, &line, &rule), 1);
	assert_int_equal(number, 3);
	assert_true(slice_is(line, "guard deploy") && !rule.allows && slice_is(rule.pattern, "deploy"));
	assert_int_equal(guard_take(&rest, &number, &line, &rule), 1);
	assert_true(slice_is(line, "allow .vscode") && rule.allows && slice_is(rule.pattern, ".vscode"));
	assert_int_equal(guard_take(&rest, &number, &line, &rule), 1);
	assert_int_equal(guard_take(&rest, &number, &line, &rule), 0);
}

static void test_add(void **state)
{
	auto_buf struct buf once = {0}, twice = {0};

	(void)state;
	assert_int_equal(guard_file_add(slice_text(text), "guard deploy", &once), 0);
	assert_string_equal(buf_text(&once), "# mine\n\n  allow .vscode\t\n# end\nguard deploy\n");
	assert_int_equal(guard_file_add(buf_slice(&once), "allow deploy", &twice), 0);
	assert_string_equal(buf_text(&twice),
			    "# mine\n\n  allow .vscode\t\n# end\nguard deploy\nallow deploy\n");
}

static void test_remove(void **state)
{
	auto_buf struct buf once = {0}, twice = {0};

	(void)state;
	assert_int_equal(guard_file_remove(slice_text(text), "deploy", &once), 2);
	assert_string_equal(buf_text(&once), "# mine\n\n  allow .vscode\t\n# end\n");
	assert_int_equal(guard_file_remove(buf_slice(&once), "deploy", &twice), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_check),
		cmocka_unit_test(test_take),
		cmocka_unit_test(test_add),
		cmocka_unit_test(test_remove),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
