/*
 * HTTP/1 heads of clients and servers. What is taken and written anew is taken again, and says the same:
 * nobody behind the proxy reads another request than the one that was judged.
 */
#include "proxy/http1-write.h"
#include "proxy/target.h"

#include "fuzz.h"

static bool is_same(struct slice a, struct slice b)
{
	return a.len == b.len && memcmp(a.ptr, b.ptr, a.len) == 0;
}

static void check_request(const struct http1_head *head)
{
	struct http1_shape shape = {.is_close = false};
	struct http1_framing framing;
	struct http1_head again;
	auto_buf struct buf out = {0};
	struct target target;
	struct host name;
	unsigned status;
	size_t used;

	property(host_parse(slice_text("a.test"), &name) == 0);
	if (target_parse(head, &name, 80, &target, &status) || !http1_frame_request(head, &shape.framing))
		return;
	property(http1_write_request(&out, head, target.path, slice_text("a.test"), &shape) == 0);
	property(http1_parse_request(buf_slice(&out), &again, &used) == PARSED_OK && used == out.len);
	property(is_same(again.method, head->method) && is_same(again.target, target.path));
	property(http1_find(&again, "host", NULL) == 1 && http1_find(&again, "connection", NULL) == 0);
	property(http1_frame_request(&again, &framing));
	property(framing.body == shape.framing.body && framing.length == shape.framing.length);
	property(!target_parse(&again, &name, 80, &target, &status));
}

static void check_response(const struct http1_head *head)
{
	struct http1_shape shape = {.is_close = true};
	struct http1_framing framing;
	struct http1_head again;
	auto_buf struct buf out = {0};
	size_t used;

	if (!http1_frame_response(head, false, &shape.framing))
		return;
	property(http1_write_response(&out, head, &shape) == 0);
	property(http1_parse_response(buf_slice(&out), &again, &used) == PARSED_OK && used == out.len);
	property(again.status == head->status && is_same(again.reason, head->reason));
	property(http1_frame_response(&again, false, &framing));
	property(framing.body == shape.framing.body && framing.length == shape.framing.length);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct slice in = slice_of(bytes, len);
	struct http1_head head;
	size_t used;

	if (http1_parse_request(in, &head, &used) == PARSED_OK) {
		property(used <= len);
		check_request(&head);
		property(http1_parse_request(slice_of(in.ptr, used - 1), &head, &used) == PARSED_MORE);
	}
	if (http1_parse_response(in, &head, &used) == PARSED_OK) {
		property(used <= len);
		check_response(&head);
	}
	return 0;
}
