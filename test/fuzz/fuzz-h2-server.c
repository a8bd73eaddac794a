/* An HTTP/2 session that a hostile guest feeds: the server's, as the proxy has it. The first byte says how
 * the rest is cut. */
#include "wire/h2.h"

#include "fuzz.h"

enum { STREAMS_MAX = 4 };

static unsigned n_streams;

static int on_request(void *owner, struct h2_stream *stream, const char *method, const char *path)
{
	property(owner == &n_streams && strlen(method) < 16 && strlen(path) < H2_PATH_MAX_BYTES);
	property(strlen(h2_authority(stream)) < H2_AUTHORITY_MAX_BYTES);
	h2_set_data(stream, &n_streams);
	property(++n_streams <= STREAMS_MAX);
	if (strcmp(method, "CONNECT") != 0)
		return -1;
	property(h2_respond(stream, 200) == 0 && h2_send(stream, slice_text("welcome")) == 0);
	return 0;
}

static void on_data(struct h2_stream *stream, struct slice data)
{
	(void)h2_send(stream, data);
	h2_consume(stream, data.len);
}

static void on_end(struct h2_stream *stream)
{
	h2_end(stream);
}

static void on_close(struct h2_stream *stream, uint32_t error)
{
	(void)error;
	if (h2_data(stream))
		n_streams--;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	static const struct h2_ops ops = {
		.on_request = on_request, .on_data = on_data, .on_end = on_end, .on_close = on_close};
	static const struct h2_limits limits = {.streams = STREAMS_MAX,
						.session_window_bytes = 1 << 20,
						.resets = 10,
						.resets_per_second = 1};
	size_t step = len > 0 && bytes[0] > 0 ? bytes[0] : 1;
	struct slice in = slice_of(bytes, len);
	auto_buf struct buf out = {0};
	struct h2 *h2;

	n_streams = 0;
	property(h2_new_server_limited(&ops, &n_streams, &limits, &h2) == 0);
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
	property(n_streams == 0);
	return 0;
}
