/* host_parse: what it takes is in its one form, which is read as itself, with and without a port. */
#include "policy/host.h"

#include "fuzz.h"

#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	char text[HOST_PORT_TEXT_BYTES];
	struct host host, again;
	uint16_t port;

	if (host_parse(slice_of(bytes, len), &host) == 0) {
		property(host_parse(slice_text(host.text), &again) == 0);
		property(strcmp(host.text, again.text) == 0 && host.is_address == again.is_address);
		property(memcmp(&host.address, &again.address, sizeof(host.address)) == 0);
		for (const char *at = host.text; *at; at++)
			property((*at >= 'a' && *at <= 'z') || (*at >= '0' && *at <= '9') ||
				 strchr("-_.:", *at));
	}
	if (host_parse_port(slice_of(bytes, len), 443, &host, &port) == 0) {
		uint16_t port_again;

		host_format(&host, port, text);
		property(host_parse_port(slice_text(text), 0, &again, &port_again) == 0);
		property(strcmp(host.text, again.text) == 0 && port == port_again);
	}
	return 0;
}
