/*
 * What kind of place an IP address is. IPv4 addresses are written ::ffff:a.b.c.d everywhere. Pure.
 */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>

enum address_class {
	ADDRESS_PUBLIC,
	ADDRESS_PRIVATE, /* of a company or a home, also behind a carrier's or a VPN's translation */
	ADDRESS_LOOPBACK,
	ADDRESS_LINK_LOCAL,
	ADDRESS_METADATA, /* where a cloud hands out credentials */
	ADDRESS_MULTICAST,
	ADDRESS_RESERVED,
};

struct address_range {
	struct in6_addr network;
	unsigned prefix; /* of 128 bits */
	enum address_class class;
};

/* The most specific range of other than public addresses that has it, NULL for a public address. */
const struct address_range *address_special(const struct in6_addr *address);

enum address_class address_classify(const struct in6_addr *address);

/* "is in a private network", for a sentence. */
const char *address_class_text(enum address_class class);

/* The address that is reached by it: what NAT64 (64:ff9b::/96) translates is the IPv4 address inside. */
struct in6_addr address_plain(const struct in6_addr *address);

/* Whether the first `prefix` bits are the same. */
bool address_in(const struct in6_addr *address, const struct in6_addr *network, unsigned prefix);
