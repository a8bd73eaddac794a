#include "base/settings.h"

#include "unit.h"

static void gets(const char *text, const char *value)
{
	assert_true(slice_is(settings_get(slice_text(text), "a.b"), value));
}

static void test_get(void **state)
{
	(void)state;
	gets("", "");
	gets("a.b", "");
	gets("a.b 1", "1");
	gets("# a.b 1\n\n  a.b\t one two \r\na.b 3\n", "one two");
	gets("a.bc 1\na 2\n", "");
}

static void sets(const char *text, const char *value, const char *expected)
{
	auto_buf struct buf got = {0};

	assert_int_equal(settings_set(slice_text(text), "a.b", value, &got), 0);
	assert_string_equal(got.len > 0 ? buf_text(&got) : "", expected);
}

static void test_set(void **state)
{
	(void)state;
	sets("", "1", "a.b 1\n");
	sets("# mine\nx y", "1", "# mine\nx y\na.b 1\n");
	sets("a.b 1\n# mine\na.b 2\nx y\n", "3", "a.b 3\n# mine\nx y\n");
	sets("a.b 1\n  x  y\n", NULL, "  x  y\n");
	sets("a.b 1\n", NULL, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_get),
		cmocka_unit_test(test_set),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
