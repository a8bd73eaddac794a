/*
 * A request's head on its way to a host with a credential: whatever was in it, what is left holds no other
 * one, and can still be read; and a placeholder is found in a body however that is cut.
 */
#include "proxy/http1-write.h"
#include "proxy/inject.h"

#include "fuzz.h"

static const char bindings[] = "service s\nheader Authorization: Bearer %s\nhost a.test\n"
			       "placeholder sk-proj-0123456789abcdef\n";

static void check_head(const struct inject *inject, const struct host *bound, struct http1_head *head)
{
	struct http1_shape shape = {.is_close = false};
	auto_buf struct buf into = {0}, out = {0};
	struct slice target = head->target;
	struct injection injection;
	struct http1_head again;
	size_t used;

	property(!inject_leaks(inject, bound, 443, head));
	property(inject_request(inject, bound, 443, head, &into, &target, &injection) == 0);
	property(strcmp(injection.service, "s") == 0);
	property(http1_write_request(&out, head, target, slice_text("a.test"), &shape) == 0);
	if (target.ptr[0] != '/')
		return;
	property(http1_parse_request(buf_slice(&out), &again, &used) == PARSED_OK);
	property(http1_find(&again, "authorization", NULL) == 0 &&
		 http1_find(&again, "x-api-key", NULL) == 0);
}

static void check_body(const struct inject *inject, const struct host *other, struct slice bytes)
{
	static const char holder[] = "sk-proj-0123456789abcdef";
	bool is_there = memmem(bytes.ptr, bytes.len, holder, sizeof(holder) - 1);
	struct inject_scan scan = {.len = 0};
	size_t step = bytes.len > 0 ? (unsigned char)bytes.ptr[0] % 64 + 1U : 1;
	bool is_found = false;

	for (size_t at = 0; at < bytes.len; at += step) {
		size_t len = bytes.len - at < step ? bytes.len - at : step;

		is_found |= inject_scan(inject, other, 443, &scan, slice_of(bytes.ptr + at, len));
	}
	property(is_found == is_there);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct inject inject = {.count = 0};
	struct http1_head head;
	struct host bound, other;
	size_t used;

	property(inject_set(&inject, slice_text(bindings)) == 0);
	property(host_parse(slice_text("a.test"), &bound) == 0 &&
		 host_parse(slice_text("b.test"), &other) == 0);
	check_body(&inject, &other, slice_of(bytes, len));
	if (http1_parse_request(slice_of(bytes, len), &head, &used) == PARSED_OK) {
		(void)inject_leaks(&inject, &other, 443, &head);
		check_head(&inject, &bound, &head);
	}
	inject_done(&inject);
	return 0;
}
