/* The port: whatever came before, a HELLO after its padding is found. */
#include "wire/port.h"

#include "fuzz.h"

static const uint8_t nonce[PORT_NONCE_BYTES] = "fuzz-port-nonce";

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	auto_buf struct buf stream = {0};
	struct port_packet packet;
	uint8_t version = 0;
	bool found = false;
	size_t used = 0;

	(void)port_find_answer(slice_of(bytes, len), nonce, &used, &version);
	property(used <= len);
	property(buf_append(&stream, slice_of(bytes, len)) == 0);
	property(port_append_hello(&stream, nonce) == 0);
	for (;;) {
		enum parsed parsed = port_parse(buf_slice(&stream), &packet, &used);

		property(used <= stream.len);
		if (parsed == PARSED_MORE)
			break;
		property(used > 0);
		if (parsed == PARSED_OK && packet.kind == PORT_DATA)
			property(packet.data.len > 0 && packet.data.len <= PORT_DATA_MAX_BYTES);
		found = parsed == PARSED_OK && packet.kind == PORT_HELLO &&
			memcmp(packet.nonce, nonce, sizeof(nonce)) == 0;
		if (found)
			break;
		buf_drop(&stream, used);
	}
	property(found);
	return 0;
}
