/* QMP lines of a QEMU that was taken over: a text that is kept is printable and ends. */
#include "engine/qmp.h"

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct qmp_message message;
	enum parsed parsed = qmp_parse(slice_of(bytes, len), &message);

	property(parsed != PARSED_MORE);
	if (parsed == PARSED_OK) {
		property(memchr(message.text, '\0', sizeof(message.text)));
		for (const char *at = message.text; *at; at++)
			property((unsigned char)*at >= 0x20 && *at != 0x7f);
	}
	return 0;
}
