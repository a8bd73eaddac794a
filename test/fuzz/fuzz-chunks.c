/* Chunked bodies: whole or byte by byte the same content, and what is written anew has it too. */
#include "proxy/http1-write.h"

#include "fuzz.h"

/* Appends the content of what can be taken; the last answer. */
static enum parsed read_all(struct slice in, size_t step, struct buf *content, size_t *ret_used)
{
	struct http1_chunks chunks = {0};
	size_t from = 0, to = 0;

	while (!http1_chunks_done(&chunks)) {
		struct slice data;
		size_t used = 0;
		enum parsed parsed = http1_chunk(&chunks, slice_of(in.ptr + from, to - from), &data, &used);

		property(parsed != PARSED_OK || (used > 0 && used <= to - from && data.len <= used));
		if (parsed == PARSED_BAD || (parsed == PARSED_MORE && to == in.len))
			return parsed;
		if (parsed == PARSED_MORE)
			to += in.len - to < step ? in.len - to : step;
		else
			property(buf_append(content, data) == 0);
		from += used;
	}
	*ret_used = from;
	return PARSED_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct slice in = slice_of(bytes, len);
	auto_buf struct buf whole = {0};
	auto_buf struct buf pieces = {0};
	auto_buf struct buf again = {0};
	auto_buf struct buf out = {0};
	size_t used = 0, used_again = 0;
	enum parsed parsed = read_all(in, len > 0 ? len : 1, &whole, &used);

	property(read_all(in, 1, &pieces, &used_again) == parsed && used == used_again);
	property(parsed != PARSED_OK ||
		 (whole.len == pieces.len && memcmp(buf_text(&whole), buf_text(&pieces), whole.len) == 0));
	if (parsed != PARSED_OK)
		return 0;
	if (whole.len > 0)
		property(http1_write_chunk(&out, buf_slice(&whole)) == 0);
	property(http1_write_chunk(&out, slice_of("", 0)) == 0);
	property(read_all(buf_slice(&out), out.len, &again, &used) == PARSED_OK && used == out.len);
	property(again.len == whole.len && memcmp(buf_text(&again), buf_text(&whole), whole.len) == 0);
	return 0;
}
