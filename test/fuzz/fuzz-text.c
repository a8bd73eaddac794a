/* text_printable: nothing that a terminal would obey comes out, and what comes out stays as it is the second
 * time. */
#include "base/text.h"

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	auto_buf struct buf once = {0};
	auto_buf struct buf twice = {0};

	property(text_printable(&once, slice_of(bytes, len), false) == 0);
	for (size_t i = 0; i < once.len; i++) {
		unsigned char byte = (unsigned char)buf_text(&once)[i];

		property(byte >= 0x20 && byte != 0x7f);
	}
	property(text_printable(&twice, buf_slice(&once), false) == 0);
	property(once.len == twice.len && memcmp(buf_text(&once), buf_text(&twice), once.len) == 0);
	return 0;
}
