#include "policy/host.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { NAME_MAX_BYTES = 253, LABEL_MAX_BYTES = 63, IPV4_PARTS_MAX = 4, PORT_DIGITS_MAX = 5 };

static const unsigned char ipv4_prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

static bool is_digit(char byte)
{
	return byte >= '0' && byte <= '9';
}

static bool is_name_byte(char byte)
{
	return (byte >= 'a' && byte <= 'z') || is_digit(byte) || byte == '-' || byte == '_';
}

/* Lower case by ASCII alone: what the locale thinks does not matter. */
static int copy_lower(struct slice text, char *ret)
{
	for (size_t i = 0; i < text.len; i++) {
		char byte = text.ptr[i];

		if (byte >= 'A' && byte <= 'Z')
			byte = (char)(byte - 'A' + 'a');
		if (!is_name_byte(byte) && byte != '.')
			return -EINVAL;
		ret[i] = byte;
	}
	ret[text.len] = '\0';
	return 0;
}

static bool is_label_ok(const char *label, size_t len)
{
	if (len == 0 || len > LABEL_MAX_BYTES || label[0] == '-' || label[len - 1] == '-')
		return false;
	/* An encoded label encodes something. */
	return len != 4 || strncmp(label, "xn--", len) != 0;
}

static bool are_labels_ok(const char *name)
{
	for (;;) {
		size_t len = strcspn(name, ".");

		if (!is_label_ok(name, len))
			return false;
		if (name[len] == '\0')
			return true;
		name += len + 1;
	}
}

/* Resolvers and libraries take a name whose last label looks like a number for an IPv4 address. */
static bool ends_in_number(const char *name)
{
	const char *dot = strrchr(name, '.'), *last = dot ? dot + 1 : name;

	if (strncmp(last, "0x", 2) == 0)
		return last[2 + strspn(last + 2, "0123456789abcdef")] == '\0';
	return *last != '\0' && last[strspn(last, "0123456789")] == '\0';
}

/* One part as inet_aton(3) reads it: decimal, octal behind a zero, hexadecimal behind 0x. */
static int ipv4_part(const char *part, size_t len, uint64_t max, uint64_t *ret)
{
	unsigned base = 10;
	uint64_t value = 0;

	if (len > 1 && part[0] == '0') {
		base = part[1] == 'x' ? 16 : 8;
		part += base == 16 ? 2 : 1;
		len -= base == 16 ? 2 : 1;
	}
	if (len == 0)
		return -EINVAL;
	for (size_t i = 0; i < len; i++) {
		unsigned digit =
			is_digit(part[i]) ? (unsigned)(part[i] - '0') : (unsigned)(part[i] - 'a') + 10;

		if (digit >= base)
			return -EINVAL;
		value = value * base + digit;
		if (value > max)
			return -EINVAL;
	}
	*ret = value;
	return 0;
}

/* Up to four parts; the last one stands for all bytes that are left. */
static int parse_ipv4(const char *text, struct in6_addr *ret)
{
	uint32_t address = 0;

	for (unsigned count = 1; count <= IPV4_PARTS_MAX; count++) {
		size_t len = strcspn(text, ".");
		bool is_last = text[len] == '\0';
		unsigned bits = is_last ? 8 * (IPV4_PARTS_MAX + 1 - count) : 8;
		uint64_t value;

		if (ipv4_part(text, len, (1ULL << bits) - 1, &value) < 0)
			return -EINVAL;
		address = (uint32_t)((uint64_t)address << bits | value);
		if (is_last) {
			address = htonl(address);
			memcpy(ret->s6_addr, ipv4_prefix, sizeof(ipv4_prefix));
			memcpy(ret->s6_addr + sizeof(ipv4_prefix), &address, sizeof(address));
			return 0;
		}
		text += len + 1;
	}
	return -EINVAL;
}

void host_of_address(const struct in6_addr *address, struct host *ret)
{
	*ret = (struct host){.is_address = true, .address = *address};
	if (memcmp(address->s6_addr, ipv4_prefix, sizeof(ipv4_prefix)) == 0)
		inet_ntop(AF_INET, address->s6_addr + sizeof(ipv4_prefix), ret->text, sizeof(ret->text));
	else
		inet_ntop(AF_INET6, address, ret->text, sizeof(ret->text));
}

static int parse_ipv6(struct slice text, struct host *ret)
{
	struct in6_addr address;
	char copy[INET6_ADDRSTRLEN];

	if (text.len >= sizeof(copy) || memchr(text.ptr, '\0', text.len))
		return -EINVAL;
	memcpy(copy, text.ptr, text.len);
	copy[text.len] = '\0';
	if (inet_pton(AF_INET6, copy, &address) != 1)
		return -EINVAL;
	host_of_address(&address, ret);
	return 0;
}

int host_parse(struct slice text, struct host *ret)
{
	struct host host = {.text = ""};

	if (text.len >= 2 && text.ptr[0] == '[' && text.ptr[text.len - 1] == ']')
		return parse_ipv6(slice_of(text.ptr + 1, text.len - 2), ret);
	if (text.len > 0 && memchr(text.ptr, ':', text.len))
		return parse_ipv6(text, ret);
	if (text.len > 0 && text.ptr[text.len - 1] == '.')
		text.len--;
	if (text.len == 0 || text.len > NAME_MAX_BYTES || copy_lower(text, host.text) < 0)
		return -EINVAL;
	if (ends_in_number(host.text)) {
		struct in6_addr address;

		if (parse_ipv4(host.text, &address) < 0)
			return -EINVAL;
		host_of_address(&address, ret);
		return 0;
	}
	if (!are_labels_ok(host.text))
		return -EINVAL;
	*ret = host;
	return 0;
}

int host_port(struct slice text, uint16_t *ret)
{
	unsigned value = 0;

	if (text.len == 0 || text.len > PORT_DIGITS_MAX || text.ptr[0] == '0')
		return -EINVAL;
	for (size_t i = 0; i < text.len; i++) {
		if (!is_digit(text.ptr[i]))
			return -EINVAL;
		value = value * 10 + (unsigned)(text.ptr[i] - '0');
	}
	if (value > UINT16_MAX)
		return -EINVAL;
	*ret = (uint16_t)value;
	return 0;
}

/* The colon before the port; an IPv6 address has others, inside its brackets. */
static const char *find_colon(struct slice text)
{
	const char *colon, *bracket;

	if (!text.ptr)
		return NULL;
	colon = memrchr(text.ptr, ':', text.len);
	bracket = memrchr(text.ptr, ']', text.len);
	return colon && bracket && colon < bracket ? NULL : colon;
}

int host_parse_port(struct slice text, uint16_t default_port, struct host *ret, uint16_t *ret_port)
{
	const char *colon = find_colon(text);
	struct slice name = colon ? slice_of(text.ptr, (size_t)(colon - text.ptr)) : text;
	uint16_t port = default_port;
	struct host host;

	if (colon && host_port(slice_skip(text, name.len + 1), &port) < 0)
		return -EINVAL;
	/* An IPv6 address without brackets could end in what is meant for a port. */
	if (port == 0 || (name.len > 0 && name.ptr[0] != '[' && memchr(name.ptr, ':', name.len)))
		return -EINVAL;
	if (host_parse(name, &host) < 0)
		return -EINVAL;
	*ret = host;
	*ret_port = port;
	return 0;
}

void host_format(const struct host *host, uint16_t port, char ret[HOST_PORT_TEXT_BYTES])
{
	bool has_colons = strchr(host->text, ':') != NULL;

	snprintf(ret, HOST_PORT_TEXT_BYTES, "%s%s%s:%u", has_colons ? "[" : "", host->text,
		 has_colons ? "]" : "", port);
}

bool host_is_local(const struct host *host)
{
	static const char local[] = "localhost";
	size_t len = strlen(host->text), local_len = sizeof(local) - 1;

	if (host->is_address || len < local_len || strcmp(host->text + len - local_len, local) != 0)
		return false;
	return len == local_len || host->text[len - local_len - 1] == '.';
}
