#include "policy/address.h"

#include "base/mem.h"

#include <string.h>

#define PAIR(group) ((group) >> 8), ((group)&0xff)
#define V4(a, b, c, d)                                                               \
	{                                                                            \
		{                                                                    \
			{                                                            \
				0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d \
			}                                                            \
		}                                                                    \
	}
#define V6(a, b, c, d, e, f, g, h)                                                                     \
	{                                                                                              \
		{                                                                                      \
			{                                                                              \
				PAIR(a), PAIR(b), PAIR(c), PAIR(d), PAIR(e), PAIR(f), PAIR(g), PAIR(h) \
			}                                                                              \
		}                                                                                      \
	}

/* IANA's registries of special addresses, and what clouds use; a range comes before those that hold it. */
static const struct address_range ranges[] = {
	{V4(169, 254, 169, 254), 128, ADDRESS_METADATA}, /* nearly all of them */
	{V4(169, 254, 170, 2), 128, ADDRESS_METADATA},   /* Amazon's container credentials */
	{V4(169, 254, 170, 23), 128, ADDRESS_METADATA},
	{V4(100, 100, 100, 200), 128, ADDRESS_METADATA}, /* Alibaba */
	{V4(168, 63, 129, 16), 128, ADDRESS_METADATA},   /* Azure */
	{V4(192, 0, 0, 192), 128, ADDRESS_METADATA},     /* Oracle */
	{V4(0, 0, 0, 0), 104, ADDRESS_RESERVED},         /* "this network": Linux takes 0.0.0.0 for itself */
	{V4(10, 0, 0, 0), 104, ADDRESS_PRIVATE},
	{V4(100, 64, 0, 0), 106, ADDRESS_PRIVATE}, /* shared by a carrier's customers, and VPNs */
	{V4(127, 0, 0, 0), 104, ADDRESS_LOOPBACK},
	{V4(169, 254, 0, 0), 112, ADDRESS_LINK_LOCAL},
	{V4(172, 16, 0, 0), 108, ADDRESS_PRIVATE},
	{V4(192, 0, 0, 0), 120, ADDRESS_RESERVED},
	{V4(192, 0, 2, 0), 120, ADDRESS_RESERVED},   /* documentation */
	{V4(192, 88, 99, 0), 120, ADDRESS_RESERVED}, /* relays to 6to4 */
	{V4(192, 168, 0, 0), 112, ADDRESS_PRIVATE},
	{V4(198, 18, 0, 0), 111, ADDRESS_RESERVED},   /* benchmarks; the guest's own stand-ins for names */
	{V4(198, 51, 100, 0), 120, ADDRESS_RESERVED}, /* documentation */
	{V4(203, 0, 113, 0), 120, ADDRESS_RESERVED},  /* documentation */
	{V4(224, 0, 0, 0), 100, ADDRESS_MULTICAST},
	{V4(240, 0, 0, 0), 100, ADDRESS_RESERVED}, /* and the broadcast address */
	{V6(0, 0, 0, 0, 0, 0, 0, 1), 128, ADDRESS_LOOPBACK},
	{V6(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254), 128, ADDRESS_METADATA}, /* Amazon */
	{V6(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254), 128, ADDRESS_METADATA},  /* Google */
	{V6(0xfc00, 0, 0, 0, 0, 0, 0, 0), 7, ADDRESS_PRIVATE},
	{V6(0xfe80, 0, 0, 0, 0, 0, 0, 0), 10, ADDRESS_LINK_LOCAL},
	{V6(0xfec0, 0, 0, 0, 0, 0, 0, 0), 10, ADDRESS_RESERVED}, /* once site-local */
	{V6(0xff00, 0, 0, 0, 0, 0, 0, 0), 8, ADDRESS_MULTICAST},
	{V6(0x2001, 0, 0, 0, 0, 0, 0, 0), 23, ADDRESS_RESERVED},     /* protocols, Teredo */
	{V6(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32, ADDRESS_RESERVED}, /* documentation */
	{V6(0x2002, 0, 0, 0, 0, 0, 0, 0), 16, ADDRESS_RESERVED},     /* 6to4: any IPv4 address inside */
	{V6(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20, ADDRESS_RESERVED},     /* documentation */
	/* Public are only those that begin with the bits 001. */
	{V6(0, 0, 0, 0, 0, 0, 0, 0), 3, ADDRESS_RESERVED},
	{V6(0x4000, 0, 0, 0, 0, 0, 0, 0), 2, ADDRESS_RESERVED},
	{V6(0x8000, 0, 0, 0, 0, 0, 0, 0), 1, ADDRESS_RESERVED},
};

static const struct in6_addr ipv4 = V4(0, 0, 0, 0), nat64 = V6(0x64, 0xff9b, 0, 0, 0, 0, 0, 0);

bool address_in(const struct in6_addr *address, const struct in6_addr *network, unsigned prefix)
{
	unsigned whole = prefix / 8, rest = prefix % 8;

	if (memcmp(address, network, whole) != 0)
		return false;
	return rest == 0 || (address->s6_addr[whole] ^ network->s6_addr[whole]) >> (8 - rest) == 0;
}

struct in6_addr address_plain(const struct in6_addr *address)
{
	struct in6_addr plain = ipv4;

	if (!address_in(address, &nat64, 96))
		return *address;
	memcpy(plain.s6_addr + 12, address->s6_addr + 12, 4);
	return plain;
}

const struct address_range *address_special(const struct in6_addr *address)
{
	const struct in6_addr plain = address_plain(address);
	bool is_ipv4 = address_in(&plain, &ipv4, 96);

	for (size_t i = 0; i < array_len(ranges); i++) {
		/* IPv4 addresses lie in ::/3 only by the way they are written. */
		if (is_ipv4 && ranges[i].prefix < 96)
			continue;
		if (address_in(&plain, &ranges[i].network, ranges[i].prefix))
			return &ranges[i];
	}
	return NULL;
}

enum address_class address_classify(const struct in6_addr *address)
{
	const struct address_range *range = address_special(address);

	return range ? range->class : ADDRESS_PUBLIC;
}

const char *address_class_text(enum address_class class)
{
	static const char *const texts[] = {
		[ADDRESS_PUBLIC] = "is public",
		[ADDRESS_PRIVATE] = "is in a private network",
		[ADDRESS_LOOPBACK] = "is this machine itself",
		[ADDRESS_LINK_LOCAL] = "is on the local link",
		[ADDRESS_METADATA] = "is where a cloud hands out credentials",
		[ADDRESS_MULTICAST] = "is a multicast address",
		[ADDRESS_RESERVED] = "is reserved",
	};

	return texts[class];
}
