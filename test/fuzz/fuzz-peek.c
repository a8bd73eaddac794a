/* First bytes of a connection: a verdict once given stays, whatever follows, and names end. */
#include "proxy/peek.h"

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct slice in = slice_of(bytes, len);
	enum parsed parsed, whole;
	struct peek found, first;

	whole = peek(in, &found);
	property(memchr(found.name, '\0', sizeof(found.name)));
	for (size_t i = 0; i <= len && i < 512; i++) {
		parsed = peek(slice_of(in.ptr, i), &first);
		if (parsed == PARSED_MORE)
			continue;
		property(parsed == whole && first.kind == found.kind);
		property(parsed == PARSED_BAD || strcmp(first.name, found.name) == 0);
		break;
	}
	return 0;
}
