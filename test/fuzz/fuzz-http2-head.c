/*
 * Heads of HTTP/2, as text. What is taken for HTTP/1 and read there is written as HTTP/2 again, and then
 * taken again says the same: no field becomes two, none another one's value.
 */
#include "proxy/http2-head.h"
#include "proxy/target.h"

#include "fuzz.h"

static bool is_same(struct slice a, struct slice b)
{
	return a.len == b.len && memcmp(a.ptr, b.ptr, a.len) == 0;
}

static void check_request(struct slice lines, bool has_body)
{
	auto_buf struct buf text = {0}, again = {0}, back = {0};
	struct http1_shape shape = {.is_close = false};
	struct http1_head head, second;
	struct slice host;
	size_t used;

	if (http2_read_request(lines, has_body, &text) < 0 ||
	    http1_parse_request(buf_slice(&text), &head, &used) != PARSED_OK || used != text.len ||
	    http1_find(&head, "host", &host) != 1 || !http1_frame_request(&head, &shape.framing))
		return;
	property(http2_write_request(&again, &head, head.target, host, &shape, false) == 0);
	property(http2_read_request(buf_slice(&again), has_body, &back) == 0);
	property(http1_parse_request(buf_slice(&back), &second, &used) == PARSED_OK && used == back.len);
	property(is_same(second.method, head.method) && is_same(second.target, head.target));
	property(http1_find(&second, "host", NULL) == 1 && second.n_fields <= head.n_fields);
}

static void check_response(struct slice lines, bool has_body)
{
	auto_buf struct buf text = {0}, again = {0};
	struct http1_shape shape = {.is_close = false};
	struct http1_head head;
	size_t used;

	if (http2_read_response(lines, has_body, false, &text) < 0 ||
	    http1_parse_response(buf_slice(&text), &head, &used) != PARSED_OK)
		return;
	property(used == text.len);
	if (http1_frame_response(&head, false, &shape.framing))
		property(http2_write_response(&again, &head, &shape) == 0);
}

/* Sessions give no other lines (wire/h2.h). */
static bool is_possible(struct slice lines)
{
	return !memchr(lines.ptr, '\r', lines.len) && !memchr(lines.ptr, '\0', lines.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	auto_buf struct buf trailers = {0};
	struct slice lines = slice_of(bytes, len);

	if (!is_possible(lines))
		return 0;
	for (int has_body = 0; has_body < 2; has_body++) {
		check_request(lines, has_body);
		check_response(lines, has_body);
	}
	(void)http2_read_trailers(lines, &trailers);
	return 0;
}
