/* Frames: whole or byte by byte, the same are found; what is found, written again, is what was read. */
#include "wire/frame.h"

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct slice in = slice_of(bytes, len);
	auto_buf struct buf again = {0};
	enum parsed parsed;
	struct frame frame;
	size_t used;

	while ((parsed = frame_parse(in, &frame, &used)) == PARSED_OK) {
		property(used <= in.len && used >= FRAME_HEAD_BYTES);
		property(frame_parse(slice_of(in.ptr, used - 1), &frame, &used) == PARSED_MORE);
		property(frame_parse(in, &frame, &used) == PARSED_OK);
		buf_clear(&again);
		property(frame_append(&again, frame.kind, frame.body) == 0);
		property(again.len == used && memcmp(buf_text(&again), in.ptr, used) == 0);
		in = slice_skip(in, used);
	}
	return 0;
}
