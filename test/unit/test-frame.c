#include "wire/frame.h"

#include "unit.h"

#include <errno.h>

static enum parsed parse(const char *bytes, size_t len, struct frame *frame, size_t *used)
{
	/* A block of the exact size, so that the sanitizer sees one byte too many. */
	autofree char *copy = malloc(len > 0 ? len : 1);
	enum parsed parsed;

	memcpy(copy, bytes, len);
	parsed = frame_parse(slice_of(copy, len), frame, used);
	frame->body.ptr = NULL;
	return parsed;
}

static void test_whole_and_byte_by_byte(void **state)
{
	auto_buf struct buf buf = {0};
	struct frame frame = {0};
	size_t used = 0;

	(void)state;
	assert_int_equal(frame_append(&buf, FRAME_ARG, slice_text("echo")), 0);
	for (size_t len = 0; len < buf.len; len++)
		assert_int_equal(parse(buf_text(&buf), len, &frame, &used), PARSED_MORE);
	assert_int_equal(parse(buf_text(&buf), buf.len, &frame, &used), PARSED_OK);
	assert_int_equal(frame.kind, FRAME_ARG);
	assert_int_equal(frame.body.len, 4);
	assert_int_equal(used, 8);
}

static void test_limits(void **state)
{
	static const char too_long[] = {FRAME_OUTPUT, 2, 0, 1};
	static const char longest[] = {FRAME_OUTPUT, 2, 0, 0};
	static const char short_exit[] = {FRAME_EXIT, 0, 0, 0};
	static const char long_size[] = {FRAME_RESIZE, 0, 0, 5};
	static const char nul_in_arg[] = {FRAME_ARG, 0, 0, 3, 'a', 0, 'b'};
	struct frame frame = {0};
	size_t used = 0;

	(void)state;
	assert_int_equal(parse(too_long, 4, &frame, &used), PARSED_BAD);
	assert_int_equal(parse(longest, 4, &frame, &used), PARSED_MORE);
	assert_int_equal(parse(short_exit, 4, &frame, &used), PARSED_BAD);
	assert_int_equal(parse(long_size, 4, &frame, &used), PARSED_BAD);
	assert_int_equal(parse(nul_in_arg, 7, &frame, &used), PARSED_BAD);
}

static void test_every_unknown_kind_is_bad_at_its_first_byte(void **state)
{
	struct frame frame = {0};
	size_t used = 0;
	unsigned known = 0;

	(void)state;
	for (unsigned kind = 0; kind < 256; kind++) {
		char byte = (char)kind;
		enum parsed parsed = parse(&byte, 1, &frame, &used);

		assert_int_not_equal(parsed, PARSED_OK);
		known += parsed == PARSED_MORE;
	}
	assert_int_equal(known, 16);
}

static void test_size(void **state)
{
	auto_buf struct buf buf = {0};
	struct frame frame;
	size_t used;

	(void)state;
	assert_int_equal(frame_append_size(&buf, FRAME_TERMINAL, (struct frame_size){300, 65535}), 0);
	assert_int_equal(frame_parse(buf_slice(&buf), &frame, &used), PARSED_OK);
	assert_int_equal(frame_size(frame.body).rows, 300);
	assert_int_equal(frame_size(frame.body).columns, 65535);
}

static void test_direction(void **state)
{
	(void)state;
	assert_true(frame_is_for_guest(FRAME_INPUT));
	assert_false(frame_is_for_guest(FRAME_EXIT));
	assert_int_equal(frame_append(NULL, FRAME_INPUT, slice_of("", FRAME_BODY_MAX_BYTES + 1)), -E2BIG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole_and_byte_by_byte),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_every_unknown_kind_is_bad_at_its_first_byte),
		cmocka_unit_test(test_size),
		cmocka_unit_test(test_direction),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
