#include "proxy/http2-head.h"

#include "unit.h"

struct row {
	const char *lines;
	bool has_body;
	const char *text; /* NULL: refused */
};

static const struct row requests[] = {
	{":method: GET\n:scheme: https\n:authority: a.test\n:path: /x\n", false,
	 "GET /x HTTP/1.1\r\nhost: a.test\r\n\r\n"},
	{":method: POST\n:scheme: https\n:authority: a.test\n:path: /\n", true,
	 "POST / HTTP/1.1\r\nhost: a.test\r\ntransfer-encoding: chunked\r\n\r\n"},
	{":method: POST\n:scheme: https\n:authority: a.test\n:path: /\ncontent-length: 2\n", true,
	 "POST / HTTP/1.1\r\ncontent-length: 2\r\nhost: a.test\r\n\r\n"},
	{":method: GET\n:scheme: https\n:authority: a\n:path: /\ncookie: a\nx: y\ncookie: b\n", false,
	 "GET / HTTP/1.1\r\nx: y\r\nhost: a\r\ncookie: a; b\r\n\r\n"},
	{":method: GET\n:scheme: https\n:path: /\nhost: a.test\n", false,
	 "GET / HTTP/1.1\r\nhost: a.test\r\n\r\n"},
	{":method: GET\n:scheme: https\n:authority: a\n:path: /\nhost: b\n", false, NULL},
	{":method: GET\n:scheme: https\n:authority: a\n:path: /\nhost: a\nhost: a\n", false, NULL},
	{":method: GET\n:scheme: http\n:authority: a\n:path: /\n", false, NULL},
	{":method: GET\n:scheme: https\n:authority: a\n", false, NULL},
	{":method: GET\n:method: PUT\n:scheme: https\n:authority: a\n:path: /\n", false, NULL},
	{":method: GET\n:scheme: https\n:authority: a\n:path: /\n:path: /\n", false, NULL},
	{":method: GET\n:scheme: https\n:authority: a\n:path: /\nx: y\n:path: /\n", false, NULL},
	{":method: GET\n:scheme: https\n:authority: a\n:path: /\nconnection: close\n", false, NULL},
	{":method: GET\n:scheme: https\n:authority: a\n:path: /\ntransfer-encoding: chunked\n", true, NULL},
	{":method: CONNECT\n:protocol: websocket\n:scheme: https\n:authority: a\n:path: /\n", false, NULL},
};

static const struct row responses[] = {
	{":status: 200\nx: y\n", true, "HTTP/1.1 200 OK\r\nx: y\r\ntransfer-encoding: chunked\r\n\r\n"},
	{":status: 200\n", false, "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"},
	{":status: 204\n", false, "HTTP/1.1 204 No Content\r\n\r\n"},
	{":status: 103\nlink: x\n", false, "HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n"},
	{":status: 299\n", true, "HTTP/1.1 299 \r\ntransfer-encoding: chunked\r\n\r\n"},
	{"x: y\n", false, NULL},
	{":status: 20\n", false, NULL},
	{":status: 200\n:method: GET\n", false, NULL},
	{":status: 200\nkeep-alive: x\n", false, NULL},
};

static void check(const struct row *row, int r, const struct buf *text)
{
	if ((r < 0) != (row->text == NULL))
		fail_msg("%s: %d", row->lines, r);
	if (row->text)
		assert_string_equal(buf_text(text), row->text);
}

static void test_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < array_len(requests); i++) {
		auto_buf struct buf text = {0};
		int r = http2_read_request(slice_text(requests[i].lines), requests[i].has_body, &text);

		check(&requests[i], r, &text);
	}
	for (size_t i = 0; i < array_len(responses); i++) {
		auto_buf struct buf text = {0};
		int r = http2_read_response(slice_text(responses[i].lines), responses[i].has_body, false,
					    &text);

		check(&responses[i], r, &text);
	}
}

static void test_write(void **state)
{
	static const char request[] =
		"POST /x HTTP/1.1\r\nHost: a.test\r\nX-Y: z\r\nConnection: q\r\nQ: 1\r\n"
		"Content-Length: 7\r\n\r\n";
	static const char response[] =
		"HTTP/1.1 404 No\r\nSet-Cookie: a\r\nTransfer-Encoding: chunked\r\n\r\n";
	struct http1_shape shape = {.framing = {.body = HTTP1_LENGTH, .length = 7, .has_length = true}};
	auto_buf struct buf lines = {0};
	struct http1_head head;
	size_t used;

	(void)state;
	assert_int_equal(http1_parse_request(slice_text(request), &head, &used), PARSED_OK);
	assert_int_equal(http2_write_request(&lines, &head, head.target, slice_text("a.test"), &shape, true),
			 0);
	assert_string_equal(buf_text(&lines), ":method: POST\n:scheme: https\n:authority: a.test\n:path: /x\n"
					      "x-y: z\nte: trailers\ncontent-length: 7\n");
	buf_clear(&lines);
	shape.framing = (struct http1_framing){.body = HTTP1_CHUNKED};
	assert_int_equal(http1_parse_response(slice_text(response), &head, &used), PARSED_OK);
	assert_int_equal(http2_write_response(&lines, &head, &shape), 0);
	assert_string_equal(buf_text(&lines), ":status: 404\nset-cookie: a\n");
}

static void test_trailers(void **state)
{
	auto_buf struct buf lines = {0}, many = {0};

	(void)state;
	assert_int_equal(http2_read_trailers(slice_text("grpc-status: 0\nauthorization: x\n"
							":status: 200\ncontent-length: 3\nx: y\n"),
					     &lines),
			 0);
	assert_string_equal(buf_text(&lines), "grpc-status: 0\nx: y\n");
	assert_true(http2_read_trailers(slice_text("nonsense"), &lines) < 0);
	for (int i = 0; i < 3 * HTTP1_FIELDS_MAX; i++)
		assert_int_equal(buf_append(&many, slice_text("a: b\n")), 0);
	buf_clear(&lines);
	assert_int_equal(http2_read_trailers(buf_slice(&many), &lines), 0);
	assert_int_equal(lines.len, HTTP1_FIELDS_MAX * strlen("a: b\n"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_read),
		cmocka_unit_test(test_write),
		cmocka_unit_test(test_trailers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
