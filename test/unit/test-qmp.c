#include "engine/qmp.h"

#include "unit.h"

#include <errno.h>

static enum parsed parse(const char *line, struct qmp_message *ret)
{
	return qmp_parse(slice_text(line), ret);
}

static void test_kinds(void **state)
{
	struct qmp_message message;

	(void)state;
	assert_int_equal(parse("{\"QMP\": {\"version\": {}, \"capabilities\": []}}\r", &message), PARSED_OK);
	assert_int_equal(message.kind, QMP_GREETING);
	assert_int_equal(parse("{\"return\": {}}", &message), PARSED_OK);
	assert_int_equal(message.kind, QMP_RETURN);
	assert_int_equal(parse("{\"error\": {\"class\": \"GenericError\", \"desc\": \"no\"}}", &message),
			 PARSED_OK);
	assert_int_equal(message.kind, QMP_ERROR);
	assert_string_equal(message.text, "no");
	assert_int_equal(parse("{\"event\": \"STOP\", \"timestamp\": {\"seconds\": 1}}", &message),
			 PARSED_OK);
	assert_int_equal(message.kind, QMP_EVENT);
	assert_string_equal(message.text, "STOP");
	assert_string_equal(message.detail, "");
	assert_int_equal(parse("{\"event\": \"MIGRATION\", \"data\": {\"status\": \"completed\"}}", &message),
			 PARSED_OK);
	assert_string_equal(message.detail, "completed");
	assert_false(message.has_failed);
	assert_int_equal(parse("{\"event\": \"BLOCK_JOB_COMPLETED\", \"data\": {\"device\": \"copy\\u001b\", "
			       "\"error\": \"no space\"}}",
			       &message),
			 PARSED_OK);
	assert_string_equal(message.detail, "copy\\x1b");
	assert_true(message.has_failed);
	assert_int_equal(parse("{\"event\": \"X\", \"data\": [1]}", &message), PARSED_OK);
	assert_string_equal(message.detail, "");
}

static void test_refused(void **state)
{
	static const char *const lines[] = {
		"",
		"x",
		"[]",
		"{}",
		"{\"return\": {}",
		"{\"return\": {}} {\"return\": {}}",
		"{\"event\": 1}",
		"{\"error\": \"x\"}",
		"{\"QMP\": 1}",
		"{\"return\": 1, \"return\": 2}",
		"{\"event\": \"\\u0000\"}",
		"{\"event\": \"\xff\"}",
	};
	struct qmp_message message;

	(void)state;
	for (size_t i = 0; i < array_len(lines); i++)
		assert_int_equal(parse(lines[i], &message), PARSED_BAD);
	assert_int_equal(qmp_parse(slice_of("{\"event\": \"a\0\"}", 15), &message), PARSED_BAD);
}

static void test_long_line(void **state)
{
	static char line[QMP_LINE_MAX_BYTES + 1];
	struct qmp_message message;

	(void)state;
	memset(line, ' ', sizeof(line));
	memcpy(line, "{\"return\":1}", 12);
	assert_int_equal(qmp_parse(slice_of(line, QMP_LINE_MAX_BYTES), &message), PARSED_OK);
	assert_int_equal(qmp_parse(slice_of(line, QMP_LINE_MAX_BYTES + 1), &message), PARSED_BAD);
}

/* What a stolen QEMU says goes to logs and terminals. */
static void test_text_is_for_people(void **state)
{
	auto_buf struct buf line = {0};
	struct qmp_message message;
	const char *end;

	(void)state;
	assert_int_equal(parse("{\"error\": {\"desc\": \"\\u001b[2J\\u202e\"}}", &message), PARSED_OK);
	assert_null(strchr(message.text, 0x1b));
	assert_null(strstr(message.text, "\xe2\x80\xae"));

	/* Cut between characters: 255 is odd. */
	assert_int_equal(buf_printf(&line, "{\"event\": \""), 0);
	for (int i = 0; i < 200; i++)
		assert_int_equal(buf_printf(&line, "\xc3\xa9"), 0);
	assert_int_equal(buf_printf(&line, "\"}"), 0);
	assert_int_equal(qmp_parse(buf_slice(&line), &message), PARSED_OK);
	assert_int_equal(strlen(message.text), QMP_TEXT_BYTES - 2);
	end = message.text + strlen(message.text);
	assert_memory_equal(end - 2, "\xc3\xa9", 2);
}

static void test_format(void **state)
{
	auto_buf struct buf text = {0};
	json_t *arguments = json_pack("{s:s, s:b}", "filename", "a\"\n", "live", 0);

	(void)state;
	assert_int_equal(qmp_format(&text, "stop"), 0);
	assert_string_equal(buf_text(&text), "{\"execute\":\"stop\"}\n");
	buf_clear(&text);
	assert_int_equal(qmp_format_with(&text, "xen-save-devices-state", arguments), 0);
	assert_string_equal(buf_text(&text), "{\"execute\":\"xen-save-devices-state\",\"arguments\":"
					     "{\"filename\":\"a\\\"\\n\",\"live\":false}}\n");
	assert_int_equal(qmp_format_with(&text, "stop", NULL), -EINVAL);
	json_decref(arguments);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kinds),     cmocka_unit_test(test_refused),
		cmocka_unit_test(test_long_line), cmocka_unit_test(test_text_is_for_people),
		cmocka_unit_test(test_format),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
