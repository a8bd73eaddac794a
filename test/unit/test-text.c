#include "base/text.h"

#include "unit.h"

#include <errno.h>

static void printable_is(const char *text, size_t len, bool keep, const char *expected)
{
	auto_buf struct buf buf = {0};

	assert_int_equal(text_printable(&buf, slice_of(text, len), keep), 0);
	assert_string_equal(buf_text(&buf), expected);
}

static void test_printable(void **state)
{
	(void)state;
	printable_is("plain é 漢 😀", sizeof("plain é 漢 😀") - 1, false, "plain é 漢 😀");
	printable_is("\033]0;x\a", 6, false, "\\x1b]0;x\\x07");
	printable_is("a\nb\tc", 5, true, "a\nb\tc");
	printable_is("a\nb", 3, false, "a\\x0ab");
	printable_is("\xc0\xaf", 2, false, "\\xc0\\xaf");
	printable_is("\xed\xa0\x80", 3, false, "\\xed\\xa0\\x80");
	printable_is("\xe2\x80\xae", 3, false, "\\u{202e}");
	printable_is("\xc2\x9b", 2, false, "\\u{9b}");
	printable_is("\xf0\x9f", 2, false, "\\xf0\\x9f");
	printable_is("a\0b", 3, false, "a\\x00b");
}

static void test_nearest(void **state)
{
	static const char *const list[] = {"run", "create", "exec", "ls", "stop", "rm", "version", NULL};

	(void)state;
	assert_string_equal(text_nearest("creat", list), "create");
	assert_string_equal(text_nearest("exce", list), "exec");
	assert_string_equal(text_nearest("verison", list), "version");
	assert_null(text_nearest("frobnicate", list));
	assert_null(text_nearest("zz", list));
}

static void test_mib(void **state)
{
	uint64_t mib = 0;

	(void)state;
	assert_int_equal(text_parse_mib("512m", &mib), 0);
	assert_int_equal(mib, 512);
	assert_int_equal(text_parse_mib("1.5g", &mib), 0);
	assert_int_equal(mib, 1536);
	assert_int_equal(text_parse_mib("2GiB", &mib), 0);
	assert_int_equal(mib, 2048);
	assert_int_equal(text_parse_mib("300", &mib), 0);
	assert_int_equal(mib, 300);
	assert_int_equal(text_parse_mib("-1g", &mib), -EINVAL);
	assert_int_equal(text_parse_mib("0x10", &mib), -EINVAL);
	assert_int_equal(text_parse_mib("1gg", &mib), -EINVAL);
	assert_int_equal(text_parse_mib("", &mib), -EINVAL);
	assert_int_equal(text_parse_mib("0", &mib), -EINVAL);
	assert_int_equal(text_parse_mib("99999999t", &mib), -ERANGE);
	assert_int_equal(text_parse_mib("1e9999", &mib), -EINVAL);
}

static void test_number(void **state)
{
	uint64_t number = 7;

	(void)state;
	assert_int_equal(text_parse_number("12", 1, 64, &number), 0);
	assert_int_equal(number, 12);
	assert_int_equal(text_parse_number("0", 1, 64, &number), -ERANGE);
	assert_int_equal(text_parse_number("65", 1, 64, &number), -ERANGE);
	assert_int_equal(text_parse_number("1x", 1, 64, &number), -EINVAL);
	assert_int_equal(text_parse_number(" 1", 1, 64, &number), -EINVAL);
	assert_int_equal(text_parse_number("99999999999999999999999", 1, UINT64_MAX, &number), -ERANGE);
	assert_int_equal(number, 12);
}

static void test_formats(void **state)
{
	char text[TEXT_SHORT_BYTES];

	(void)state;
	text_format_bytes(0, text);
	assert_string_equal(text, "0 B");
	text_format_bytes(1536, text);
	assert_string_equal(text, "1.5 KiB");
	text_format_bytes(20ULL << 30, text);
	assert_string_equal(text, "20 GiB");
	text_format_age(1, text);
	assert_string_equal(text, "1 second");
	text_format_age(7300, text);
	assert_string_equal(text, "2 hours");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_printable), cmocka_unit_test(test_nearest), cmocka_unit_test(test_mib),
		cmocka_unit_test(test_number),    cmocka_unit_test(test_formats),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
