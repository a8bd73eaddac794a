#include "proxy/http1-write.h"
#include "proxy/http1.h"
#include "proxy/trailers.h"

#include "unit.h"

#include <sys/mman.h>

#define REQUEST(fields) "GET / HTTP/1.1\r\n" fields "\r\n"

/* Every input ends where memory that can be read ends. */
static struct slice at_edge(const char *text, size_t len)
{
	static char *pages;
	const size_t size = 64 << 10;

	if (!pages) {
		pages = mmap(NULL, 2 * size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		assert_ptr_not_equal(pages, MAP_FAILED);
		assert_int_equal(mprotect(pages + size, size, PROT_NONE), 0);
	}
	memcpy(pages + size - len, text, len);
	return slice_of(pages + size - len, len);
}

/* Byte by byte: never another answer than "more" before the one that the whole gets. */
static enum parsed feed(enum parsed (*parse)(struct slice in, struct http1_head *ret, size_t *ret_used),
			const char *text, struct http1_head *ret, size_t *ret_used)
{
	size_t len = strlen(text);
	enum parsed whole = parse(at_edge(text, len), ret, ret_used), parsed = PARSED_MORE;
	struct http1_head head;
	size_t used;

	for (size_t i = 0; i <= len && parsed == PARSED_MORE; i++)
		parsed = parse(at_edge(text, i), &head, &used);
	assert_int_equal(parsed, whole);
	return parse(at_edge(text, len), ret, ret_used);
}

static void test_request(void **state)
{
	static const char text[] =
		"POST /a?b=c HTTP/1.1\r\nHost: x\r\nEmpty:\r\nBlanks: \t a b \t\r\n\r\nbody";
	struct http1_head head;
	struct slice value;
	size_t used;

	(void)state;
	assert_int_equal(feed(http1_parse_request, text, &head, &used), PARSED_OK);
	assert_int_equal(used, sizeof(text) - 1 - strlen("body"));
	assert_true(slice_is(head.method, "POST") && slice_is(head.target, "/a?b=c") && head.minor == 1);
	assert_int_equal(head.n_fields, 3);
	assert_int_equal(http1_find(&head, "hOST", &value), 1);
	assert_true(slice_is(value, "x"));
	assert_int_equal(http1_find(&head, "blanks", &value), 1);
	assert_true(slice_is(value, "a b"));
	assert_int_equal(http1_find(&head, "empty", &value), 1);
	assert_int_equal(value.len, 0);
}

static void test_malformed_requests(void **state)
{
	static const char *const bad[] = {
		"GET / HTTP/1.1\nHost: x\n\n",
		"GET / HTTP/1.1\r\nHost: x\n\r\n",
		"GET / HTTP/1.1\r\nHost: x\r\r\n\r\n",
		"\r\nGET / HTTP/1.1\r\n\r\n",
		"GET  / HTTP/1.1\r\n\r\n",
		"GET / HTTP/1.1 \r\n\r\n",
		" GET / HTTP/1.1\r\n\r\n",
		"GET /\r\n\r\n",
		"GET / HTTP/2.0\r\n\r\n",
		"GET / HTTP/1.2\r\n\r\n",
		"GET / http/1.1\r\n\r\n",
		"GET /\x01 HTTP/1.1\r\n\r\n",
		"GET /\xc3\xa9 HTTP/1.1\r\n\r\n",
		"GET /\t HTTP/1.1\r\n\r\n",
		"G(T / HTTP/1.1\r\n\r\n",
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
		REQUEST("Host : x\r\n"),
		REQUEST("Host\t: x\r\n"),
		REQUEST(" Host: x\r\n"),
		REQUEST("A: b\r\n folded\r\n"),
		REQUEST("A: b\r\n\tfolded\r\n"),
		REQUEST("no colon\r\n"),
		REQUEST(": no name\r\n"),
		REQUEST("A: b\x7f\r\n"),
		REQUEST("A: \x1b[2J\r\n"),
		REQUEST("A: b\rc\r\n"),
		REQUEST("A\xff: b\r\n"),
	};
	struct http1_head head;
	size_t used;

	(void)state;
	for (size_t i = 0; i < array_len(bad); i++)
		if (feed(http1_parse_request, bad[i], &head, &used) != PARSED_BAD)
			fail_msg("taken: %s", bad[i]);
	assert_int_equal(http1_parse_request(slice_of("GET / HTTP/1.1\r\nA: \0\r\n\r\n", 24), &head, &used),
			 PARSED_BAD);
}

static void test_responses(void **state)
{
	static const char *const bad[] = {
		"HTTP/1.1 20 OK\r\n\r\n",    "HTTP/1.1 2000 OK\r\n\r\n", "HTTP/1.1 099 OK\r\n\r\n",
		"HTTP/2 200 OK\r\n\r\n",     "HTTP/1.1  200 OK\r\n\r\n", "HTTP/1.1 200 \x01\r\n\r\n",
		"HTTP/1.1 200 OK\nA: b\n\n", "ICY 200 OK\r\n\r\n",
	};
	struct http1_head head;
	size_t used;

	(void)state;
	assert_int_equal(feed(http1_parse_response, "HTTP/1.0 404 Not Found\r\n\r\n", &head, &used),
			 PARSED_OK);
	assert_int_equal(head.status, 404);
	assert_int_equal(head.minor, 0);
	assert_true(slice_is(head.reason, "Not Found"));
	assert_int_equal(feed(http1_parse_response, "HTTP/1.1 200\r\n\r\n", &head, &used), PARSED_OK);
	assert_int_equal(feed(http1_parse_response, "HTTP/1.1 200 \r\n\r\n", &head, &used), PARSED_OK);
	for (size_t i = 0; i < array_len(bad); i++)
		if (feed(http1_parse_response, bad[i], &head, &used) != PARSED_BAD)
			fail_msg("taken: %s", bad[i]);
}

static void test_limits(void **state)
{
	auto_buf struct buf text = {0};
	struct http1_head head;
	size_t used;

	(void)state;
	buf_printf(&text, "GET / HTTP/1.1\r\n");
	for (int i = 0; i < HTTP1_FIELDS_MAX; i++)
		buf_printf(&text, "A: b\r\n");
	buf_printf(&text, "\r\n");
	assert_int_equal(http1_parse_request(buf_slice(&text), &head, &used), PARSED_OK);
	buf_clear(&text);
	buf_printf(&text, "GET / HTTP/1.1\r\n");
	for (int i = 0; i < HTTP1_FIELDS_MAX + 1; i++)
		buf_printf(&text, "A: b\r\n");
	assert_int_equal(http1_parse_request(buf_slice(&text), &head, &used), PARSED_BAD);
	buf_clear(&text);
	buf_printf(&text, "GET / HTTP/1.1\r\nA: ");
	while (text.len < HTTP1_HEAD_MAX_BYTES - 1)
		buf_append(&text, slice_text("x"));
	assert_int_equal(http1_parse_request(buf_slice(&text), &head, &used), PARSED_MORE);
	buf_append(&text, slice_text("x"));
	assert_int_equal(http1_parse_request(buf_slice(&text), &head, &used), PARSED_BAD);
}

static void check_framing(const char *fields, bool is_ok, enum http1_body body)
{
	auto_buf struct buf text = {0};
	struct http1_framing framing;
	struct http1_head head;
	size_t used;

	buf_printf(&text, "POST / HTTP/1.1\r\n%s\r\n", fields);
	assert_int_equal(http1_parse_request(buf_slice(&text), &head, &used), PARSED_OK);
	if (http1_frame_request(&head, &framing) != is_ok)
		fail_msg("%s: %s", is_ok ? "refused" : "taken", fields);
	if (is_ok)
		assert_int_equal(framing.body, body);
}

static void test_framing(void **state)
{
	(void)state;
	check_framing("", true, HTTP1_NO_BODY);
	check_framing("Content-Length: 5\r\n", true, HTTP1_LENGTH);
	check_framing("Content-Length: 999999999999999999\r\n", true, HTTP1_LENGTH);
	check_framing("Transfer-Encoding: Chunked\r\n", true, HTTP1_CHUNKED);
	check_framing("Content-Length: 5\r\nContent-Length: 5\r\n", false, 0);
	check_framing("Content-Length: 5\r\ncontent-length: 6\r\n", false, 0);
	check_framing("Content-Length: 5, 5\r\n", false, 0);
	check_framing("Content-Length: +5\r\n", false, 0);
	check_framing("Content-Length: 0x5\r\n", false, 0);
	check_framing("Content-Length: \r\n", false, 0);
	check_framing("Content-Length: 5 5\r\n", false, 0);
	check_framing("Content-Length: 9999999999999999999\r\n", false, 0);
	check_framing("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", false, 0);
	check_framing("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", false, 0);
	check_framing("Transfer-Encoding: gzip, chunked\r\n", false, 0);
	check_framing("Transfer-Encoding: identity\r\n", false, 0);
	check_framing("Transfer-Encoding: xchunked\r\n", false, 0);
	check_framing("Transfer-Encoding:\r\n", false, 0);
}

static void check_answer(const char *text, bool is_for_head, bool is_ok, enum http1_body body)
{
	struct http1_framing framing;
	struct http1_head head;
	size_t used;

	assert_int_equal(http1_parse_response(slice_text(text), &head, &used), PARSED_OK);
	assert_int_equal(http1_frame_response(&head, is_for_head, &framing), is_ok);
	if (is_ok)
		assert_int_equal(framing.body, body);
}

static void test_answers_bodies(void **state)
{
	(void)state;
	check_answer("HTTP/1.1 200 OK\r\n\r\n", false, true, HTTP1_UNTIL_CLOSE);
	check_answer("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", false, true, HTTP1_LENGTH);
	check_answer("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", true, true, HTTP1_NO_BODY);
	check_answer("HTTP/1.1 204 No\r\nContent-Length: 5\r\n\r\n", false, true, HTTP1_NO_BODY);
	check_answer("HTTP/1.1 304 No\r\n\r\n", false, true, HTTP1_NO_BODY);
	check_answer("HTTP/1.1 100 Go\r\n\r\n", false, true, HTTP1_NO_BODY);
	check_answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", false, true, HTTP1_CHUNKED);
	check_answer("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", false, false, 0);
	check_answer("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", false,
		     false, 0);
}

/* Content of a chunked body, fed in steps; NULL where it is bad. */
static const char *dechunk(const char *text, size_t step, struct buf *content)
{
	struct http1_chunks chunks = {0};
	auto_buf struct buf in = {0};
	struct slice rest = slice_text(text), data;
	size_t used;

	buf_clear(content);
	while (!http1_chunks_done(&chunks)) {
		enum parsed parsed = http1_chunk(&chunks, buf_slice(&in), &data, &used);

		if (parsed == PARSED_BAD)
			return NULL;
		if (parsed == PARSED_OK) {
			buf_append(content, data);
			buf_drop(&in, used);
		} else if (rest.len == 0) {
			return "more";
		} else {
			size_t count = rest.len < step ? rest.len : step;

			buf_append(&in, slice_of(rest.ptr, count));
			rest = slice_skip(rest, count);
		}
	}
	assert_int_equal(in.len + rest.len, 0);
	return buf_text(content);
}

static void test_chunks(void **state)
{
	static const struct {
		const char *text, *content;
	} cases[] = {
		{"5\r\nhello\r\n0\r\n\r\n", "hello"},
		{"0\r\n\r\n", ""},
		{"3;a=b;c=\"d\"\r\nabc\r\nA\r\n0123456789\r\n00\r\nTrailer: x\r\nB: c\r\n\r\n",
		 "abc0123456789"},
		{"5\nhello\r\n0\r\n\r\n", NULL},
		{"5 \r\nhello\r\n0\r\n\r\n", NULL},
		{"0x5\r\nhello\r\n0\r\n\r\n", NULL},
		{"+5\r\nhello\r\n0\r\n\r\n", NULL},
		{"-1\r\nhello\r\n0\r\n\r\n", NULL},
		{"\r\nhello", NULL},
		{"5\r\nhelloX\r\n0\r\n\r\n", NULL},
		{"5\r\nhello\n0\r\n\r\n", NULL},
		{"5;\nhello\r\n0\r\n\r\n", NULL},
		{"5;a=\r\r\nhello\r\n0\r\n\r\n", NULL},
		{"ffffffffffffffff\r\nhello", NULL},
		{"00000000000000005\r\nhello", NULL},
		{"0\r\n folded\r\n\r\n", NULL},
		{"0\r\nno colon\r\n\r\n", NULL},
		{"0\r\nA: b\n\r\n", NULL},
		{"5\r\nhel", "more"},
	};
	auto_buf struct buf content = {0};

	(void)state;
	for (size_t i = 0; i < array_len(cases); i++) {
		for (size_t step = 1; step <= 64; step += 63) {
			const char *got = dechunk(cases[i].text, step, &content);

			if (!cases[i].content && got)
				fail_msg("taken: %s", cases[i].text);
			if (cases[i].content)
				assert_string_equal(got ? got : "(bad)", cases[i].content);
		}
	}
}

static void test_trailers(void **state)
{
	static const char text[] = "0\r\nX-Checksum: abc \r\nContent-Length: 5\r\nEmpty:\r\n\r\n";
	auto_buf struct buf trailers = {0}, out = {0};
	struct http1_chunks chunks = {.trailers = &trailers};
	struct slice rest = slice_text(text), data;
	size_t used;

	(void)state;
	while (!http1_chunks_done(&chunks)) {
		assert_int_equal(http1_chunk(&chunks, rest, &data, &used), PARSED_OK);
		assert_int_equal(data.len, 0);
		rest = slice_skip(rest, used);
	}
	assert_string_equal(buf_text(&trailers), "x-checksum: abc\nempty: \n");
	assert_int_equal(trailers_write_http1(&out, buf_slice(&trailers)), 0);
	assert_string_equal(buf_text(&out), "0\r\nx-checksum: abc\r\nempty: \r\n\r\n");
}

static void test_too_many_trailers(void **state)
{
	auto_buf struct buf text = {0}, trailers = {0};
	struct http1_chunks chunks = {.trailers = &trailers};
	enum parsed parsed = PARSED_OK;
	struct slice rest, data;
	size_t used, count = 0;

	(void)state;
	buf_append(&text, slice_text("0\r\n"));
	for (int i = 0; i < 200; i++)
		buf_append(&text, slice_text("a:b\r\n"));
	for (rest = buf_slice(&text); parsed == PARSED_OK; count++) {
		parsed = http1_chunk(&chunks, rest, &data, &used);
		rest = slice_skip(rest, parsed == PARSED_OK ? used : 0);
	}
	assert_int_equal(parsed, PARSED_BAD);
	assert_int_equal(count, HTTP1_FIELDS_MAX + 2);
}

static void test_written_anew(void **state)
{
	static const char text[] =
		"GET /a HTTP/1.1\r\nHost: evil\r\nX-Secret: 1\r\nConnection: close, x-secret\r\nTE: "
		"trailers\r\n"
		"Proxy-Authorization: y\r\nKeep-Alive: 5\r\nAccept:  */*\r\nUpgrade: h2c\r\n\r\n";
	const struct http1_shape shape = {.framing = {.body = HTTP1_LENGTH, .has_length = true, .length = 7}};
	auto_buf struct buf out = {0};
	struct http1_head head;
	size_t used;

	(void)state;
	assert_int_equal(http1_parse_request(slice_text(text), &head, &used), PARSED_OK);
	assert_int_equal(http1_write_request(&out, &head, slice_text("/a"), slice_text("good"), &shape), 0);
	assert_string_equal(buf_text(&out),
			    "GET /a HTTP/1.1\r\nHost: good\r\nAccept: */*\r\nContent-Length: 7\r\n\r\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_request),
		cmocka_unit_test(test_malformed_requests),
		cmocka_unit_test(test_responses),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_framing),
		cmocka_unit_test(test_answers_bodies),
		cmocka_unit_test(test_chunks),
		cmocka_unit_test(test_trailers),
		cmocka_unit_test(test_too_many_trailers),
		cmocka_unit_test(test_written_anew),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
