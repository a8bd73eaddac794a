#include "proxy/peek.h"

#include "base/buf.h"

#include "unit.h"

enum { EXTENSION_NAME = 0, EXTENSION_ECH = 0xfe0d };

static void put(struct buf *into, unsigned bytes, size_t value)
{
	while (bytes-- > 0) {
		char byte = (char)(value >> (8 * bytes));

		assert_int_equal(buf_append(into, slice_of(&byte, 1)), 0);
	}
}

static void put_extension(struct buf *into, unsigned type, struct slice body)
{
	put(into, 2, type);
	put(into, 2, body.len);
	assert_int_equal(buf_append(into, body), 0);
}

static void put_name(struct buf *into, struct slice name)
{
	auto_buf struct buf body = {0};

	put(&body, 2, name.len + 3);
	put(&body, 1, 0);
	put(&body, 2, name.len);
	assert_int_equal(buf_append(&body, name), 0);
	put_extension(into, EXTENSION_NAME, buf_slice(&body));
}

/* A ClientHello with those extensions, cut into records of at most record_max bytes. */
static void put_hello(struct buf *into, struct slice extensions, size_t record_max)
{
	auto_buf struct buf body = {0};
	auto_buf struct buf hello = {0};
	struct slice rest;

	put(&body, 2, 0x0303);
	for (int i = 0; i < 32; i++)
		put(&body, 1, 7);
	put(&body, 1, 0);
	put(&body, 2, 2);
	put(&body, 2, 0x1301);
	put(&body, 1, 1);
	put(&body, 1, 0);
	put(&body, 2, extensions.len);
	assert_int_equal(buf_append(&body, extensions), 0);
	put(&hello, 1, 1);
	put(&hello, 3, body.len);
	assert_int_equal(buf_append(&hello, buf_slice(&body)), 0);
	for (rest = buf_slice(&hello); rest.len > 0;) {
		size_t len = rest.len < record_max ? rest.len : record_max;

		put(into, 1, 22);
		put(into, 2, 0x0301);
		put(into, 2, len);
		assert_int_equal(buf_append(into, slice_of(rest.ptr, len)), 0);
		rest = slice_skip(rest, len);
	}
}

/* The same byte by byte. */
static enum parsed look(struct slice in, struct peek *ret)
{
	enum parsed parsed = PARSED_MORE;

	for (size_t len = 0; len <= in.len && parsed == PARSED_MORE; len++) {
		autofree char *block = malloc(len + 1);

		memcpy(block, in.ptr, len);
		parsed = peek(slice_of(block, len), ret);
	}
	assert_int_equal(peek(in, ret), parsed);
	return parsed;
}

static void test_name(void **state)
{
	static const size_t record_lens[] = {16384, 1, 7, 60};

	(void)state;
	for (size_t i = 0; i < array_len(record_lens); i++) {
		auto_buf struct buf extensions = {0};
		auto_buf struct buf in = {0};
		struct peek found;

		put_extension(&extensions, 43, slice_of("\2\3\4", 3));
		put_name(&extensions, slice_text("Example.COM."));
		put_extension(&extensions, EXTENSION_ECH, slice_of("x", 1));
		put_hello(&in, buf_slice(&extensions), record_lens[i]);
		assert_int_equal(look(buf_slice(&in), &found), PARSED_OK);
		assert_int_equal(found.kind, PEEK_TLS);
		assert_string_equal(found.name, "Example.COM.");
		assert_true(found.has_ech);
	}
}

static void test_no_name(void **state)
{
	auto_buf struct buf in = {0};
	struct peek found;

	(void)state;
	put_hello(&in, slice_of("", 0), 16384);
	assert_int_equal(look(buf_slice(&in), &found), PARSED_OK);
	assert_string_equal(found.name, "");
	assert_false(found.has_ech);
}

static void expect_bad(struct buf *extensions, const char *what)
{
	auto_buf struct buf in = {0};
	struct peek found;

	put_hello(&in, buf_slice(extensions), 16384);
	if (look(buf_slice(&in), &found) != PARSED_BAD)
		fail_msg("taken: %s", what);
	buf_clear(extensions);
}

static void test_malformed(void **state)
{
	auto_buf struct buf extensions = {0};
	auto_buf struct buf in = {0};
	struct peek found;
	static char long_name[256];

	(void)state;
	put_name(&extensions, slice_of("a.com\0.evil.com", 15));
	expect_bad(&extensions, "a NUL in the name");
	put_name(&extensions, slice_text("a.com"));
	put_name(&extensions, slice_text("b.com"));
	expect_bad(&extensions, "two names");
	put_name(&extensions, slice_text(""));
	expect_bad(&extensions, "an empty name");
	memset(long_name, 'a', sizeof(long_name));
	put_name(&extensions, slice_of(long_name, sizeof(long_name)));
	expect_bad(&extensions, "a long name");
	put_extension(&extensions, EXTENSION_NAME, slice_of("", 0));
	expect_bad(&extensions, "an empty list");
	put_extension(&extensions, EXTENSION_NAME, slice_of("\0\12\0\0\1a\0\0\1b", 10));
	expect_bad(&extensions, "two names in one list");
	put_extension(&extensions, EXTENSION_NAME, slice_of("\0\4\1\0\1a", 6));
	expect_bad(&extensions, "a name of another kind");
	put(&extensions, 2, 43);
	put(&extensions, 2, 100);
	expect_bad(&extensions, "an extension that is longer than all of them");
	put(&extensions, 1, 0);
	expect_bad(&extensions, "half an extension");
	put_hello(&in, slice_of("", 0), 16384);
	in.data[in.start + 4]++;
	put(&in, 1, 0);
	assert_int_equal(look(buf_slice(&in), &found), PARSED_BAD);
}

static void test_other_protocols(void **state)
{
	static const struct {
		const char *text;
		enum parsed parsed;
		enum peek_kind kind;
	} cases[] = {
		{"GET / HTTP/1.1\r\n", PARSED_OK, PEEK_HTTP},
		{"OPTIONS * HTTP/1.1\r\n", PARSED_OK, PEEK_HTTP},
		{"VERSION-CONTROL ", PARSED_OK, PEEK_HTTP},
		{"GET", PARSED_MORE, PEEK_OTHER},
		{" GET / HTTP/1.1", PARSED_OK, PEEK_OTHER},
		{"SSH-2.0-OpenSSH_9.2\r\n", PARSED_OK, PEEK_OTHER},
		{"PING\r\n", PARSED_OK, PEEK_OTHER},
		{"\x80\x2e\x01\x03\x01", PARSED_OK, PEEK_OTHER},
		{"ABCDEFGHIJKLMNOPQRSTUVWXYZ / HTTP/1.1", PARSED_OK, PEEK_OTHER},
		{"\x16\x03\x01\x40\x01", PARSED_BAD, PEEK_TLS},
		{"\x16\x02\x01\x01\x01", PARSED_BAD, PEEK_TLS},
		{"\x16\x03\x01\x01\x01\x02", PARSED_BAD, PEEK_TLS},
	};
	struct peek found;

	(void)state;
	for (size_t i = 0; i < array_len(cases); i++) {
		if (look(slice_text(cases[i].text), &found) != cases[i].parsed)
			fail_msg("another answer: %s", cases[i].text);
		if (cases[i].parsed == PARSED_OK)
			assert_int_equal(found.kind, cases[i].kind);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_name),
		cmocka_unit_test(test_no_name),
		cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_other_protocols),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
