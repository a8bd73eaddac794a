/* An HTTP/2 session that a hostile peer feeds: the client's, as the link has it. The first byte says how the
 * rest is cut. */
#include "wire/h2.h"

#include "fuzz.h"

static int on_request(void *owner, struct h2_stream *stream, const char *method, const char *path)
{
	(void)owner, (void)stream, (void)method, (void)path;
	return -1;
}

static void on_response(struct h2_stream *stream, int status)
{
	(void)stream, (void)status;
}

static void on_data(struct h2_stream *stream, struct slice data)
{
	h2_consume(stream, data.len);
}

static void on_end(struct h2_stream *stream)
{
	h2_end(stream);
}

static void on_close(struct h2_stream *stream, uint32_t error)
{
	(void)stream, (void)error;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	static const struct h2_ops ops = {.on_request = on_request,
					  .on_response = on_response,
					  .on_data = on_data,
					  .on_end = on_end,
					  .on_close = on_close};
	size_t step = len > 0 && bytes[0] > 0 ? bytes[0] : 1;
	struct slice in = slice_of(bytes, len);
	auto_buf struct buf out = {0};
	struct h2_stream *stream;
	struct h2 *h2;

	property(h2_new_client(&ops, NULL, &h2) == 0);
	property(h2_request(h2, "POST", "/exec", NULL, &stream) == 0);
	property(h2_send(stream, slice_text("hello")) == 0);
	property(h2_drain(h2, &out, 1 << 20) == 0);
	if (in.len > 0)
		in = slice_skip(in, 1);
	while (in.len > 0) {
		size_t count = in.len < step ? in.len : step;

		if (h2_feed(h2, slice_of(in.ptr, count)) < 0)
			break;
		buf_clear(&out);
		if (h2_drain(h2, &out, 1 << 20) < 0)
			break;
		in = slice_skip(in, count);
	}
	h2_free(h2);
	return 0;
}
