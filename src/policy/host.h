/*
 * Names of hosts in the one form in which they are compared: lower case, without the last dot, every spelling
 * of an address as that address. What has no such form is refused, so that nobody downstream can read it in
 * another way. Pure.
 */
#pragma once

#include "base/slice.h"

#include <netinet/in.h>
#include <stdint.h>

enum {
	HOST_TEXT_BYTES = 256,
	HOST_PORT_TEXT_BYTES = HOST_TEXT_BYTES + 8, /* "[...]:65535" */
};

struct host {
	char text[HOST_TEXT_BYTES]; /* an IPv6 address without brackets */
	bool is_address;
	struct in6_addr address; /* an IPv4 address as ::ffff:a.b.c.d */
};

/*
 * Reads a name or an address, with brackets around an IPv6 address or without. 127.1, 0x7f000001, 2130706433
 * and 0177.0.0.1 are addresses. Names are letters, digits, '-' and '_' in labels of at most 63 bytes; others
 * have to come in their ASCII form (xn--). -EINVAL for anything else.
 */
int host_parse(struct slice text, struct host *ret);

/* The same with a port: "name:443", "[::1]:443". Without one it is default_port, or -EINVAL where that is 0.
 */
int host_parse_port(struct slice text, uint16_t default_port, struct host *ret, uint16_t *ret_port);

/* Reads a decimal port, 1 to 65535, without sign, blanks and leading zeros. */
int host_port(struct slice text, uint16_t *ret);

void host_of_address(const struct in6_addr *address, struct host *ret);

/* "name:443", "[::1]:443" */
void host_format(const struct host *host, uint16_t port, char ret[HOST_PORT_TEXT_BYTES]);

/* "localhost" and what is below it: this machine, by whatever address. */
bool host_is_local(const struct host *host);
