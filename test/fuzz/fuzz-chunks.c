/* Chunked bodies: whole or byte by byte the same content, and what is written anew has it too. */
#include "proxy/http1-write.h"
#include "proxy/trailers.h"

#include "fuzz.h"

/* Appends the content of what can be taken, and its trailers; the last answer. */
static enum parsed read_all(struct slice in, size_t step, struct buf *content, struct buf *trailers,
			    size_t *ret_used)
{
	struct http1_chunks chunks = {.trailers = trailers};
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

static bool is_same(const struct buf *a, const struct buf *b)
{
	return a->len == b->len && memcmp(buf_text(a), buf_text(b), a->len) == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct slice in = slice_of(bytes, len);
	auto_buf struct buf whole = {0}, pieces = {0}, again = {0}, out = {0};
	auto_buf struct buf trailers = {0}, their_pieces = {0}, trailers_again = {0};
	size_t used = 0, used_again = 0;
	enum parsed parsed = read_all(in, len > 0 ? len : 1, &whole, &trailers, &used);

	property(read_all(in, 1, &pieces, &their_pieces, &used_again) == parsed && used == used_again);
	property(parsed != PARSED_OK || (is_same(&whole, &pieces) && is_same(&trailers, &their_pieces)));
	if (parsed != PARSED_OK)
		return 0;
	if (whole.len > 0)
		property(http1_write_chunk(&out, buf_slice(&whole)) == 0);
	property(trailers_write_http1(&out, buf_slice(&trailers)) == 0);
	property(read_all(buf_slice(&out), out.len, &again, &trailers_again, &used) == PARSED_OK &&
		 used == out.len);
	property(is_same(&again, &whole) && is_same(&trailers_again, &trailers));
	return 0;
}
