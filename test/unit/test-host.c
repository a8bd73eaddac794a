/* One name, one form: what another program could read differently is an address or refused. */
#include "policy/address.h"
#include "policy/host.h"

#include "unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>

#define array_len(array) (sizeof(array) / sizeof((array)[0]))

static const char label_63[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

static void test_forms(void **state)
{
	static const struct {
		const char *text, *expected; /* NULL: refused */
		bool is_address;
	} cases[] = {
		{"example.com", "example.com", false},
		{"EXAMPLE.Com.", "example.com", false},
		{"a", "a", false},
		{"_srv.example.com", "_srv.example.com", false},
		{"r3---sn-4g5e.example.com", "r3---sn-4g5e.example.com", false},
		{"xn--bcher-kva.example", "xn--bcher-kva.example", false},
		{"b\xc3\xbc"
		 "cher.example",
		 NULL, false},
		{"ex\xd0\xb0mple.com", NULL, false},
		{"example\xe3\x80\x82"
		 "com",
		 NULL, false},
		{"xn--.com", NULL, false},
		{"", NULL, false},
		{".", NULL, false},
		{"..", NULL, false},
		{"example.com..", NULL, false},
		{".example.com", NULL, false},
		{"a..b", NULL, false},
		{"-a.example.com", NULL, false},
		{"a-.example.com", NULL, false},
		{"exa mple.com", NULL, false},
		{"example.com\r\nX: y", NULL, false},
		{"user@example.com", NULL, false},
		{"example.com/path", NULL, false},
		{"example.com%00.evil.com", NULL, false},
		{"*.example.com", NULL, false},
		/* every spelling of one address */
		{"127.0.0.1", "127.0.0.1", true},
		{"127.0.0.1.", "127.0.0.1", true},
		{"127.1", "127.0.0.1", true},
		{"127.0.1", "127.0.0.1", true},
		{"2130706433", "127.0.0.1", true},
		{"0x7f000001", "127.0.0.1", true},
		{"0X7F.1", "127.0.0.1", true},
		{"0177.0.0.1", "127.0.0.1", true},
		{"017700000001", "127.0.0.1", true},
		{"127.0.0.01", "127.0.0.1", true},
		{"::ffff:127.0.0.1", "127.0.0.1", true},
		{"[::ffff:7f00:1]", "127.0.0.1", true},
		{"0", "0.0.0.0", true},
		{"00", "0.0.0.0", true},
		{"4294967295", "255.255.255.255", true},
		/* what is neither a name nor an address */
		{"4294967296", NULL, false},
		{"256.0.0.1", NULL, false},
		{"1.256", "1.0.1.0", true},
		{"1.2.3.4.5", NULL, false},
		{"1.2.3.08", NULL, false},
		{"0x", NULL, false},
		{"1.2.3.0x", NULL, false},
		{"evil.1", NULL, false},
		{"evil.0x7f", NULL, false},
		{"1.2.3.0xg", "1.2.3.0xg", false},
		{"99999999999999999999999999", NULL, false},
		/* IPv6 */
		{"::1", "::1", true},
		{"[::1]", "::1", true},
		{"[2001:DB8:0:0:0:0:0:1]", "2001:db8::1", true},
		{"::127.0.0.1", "::127.0.0.1", true},
		{"64:ff9b::127.0.0.1", "64:ff9b::7f00:1", true},
		{"fe80::1%eth0", NULL, false},
		{"[::1", NULL, false},
		{"::1]", NULL, false},
		{"[127.0.0.1]", NULL, false},
		{"[example.com]", NULL, false},
		{"[]", NULL, false},
		{":", NULL, false},
		{":::", NULL, false},
	};

	(void)state;
	for (size_t i = 0; i < array_len(cases); i++) {
		struct host host = {.text = "untouched"};
		int r = host_parse(slice_text(cases[i].text), &host);

		if ((r == 0) != (cases[i].expected != NULL))
			fail_msg("'%s' gives %d", cases[i].text, r);
		assert_string_equal(host.text, r == 0 ? cases[i].expected : "untouched");
		if (r == 0)
			assert_int_equal(host.is_address, cases[i].is_address);
	}
}

static void test_nul(void **state)
{
	struct host host;

	(void)state;
	assert_int_equal(host_parse(slice_of("allowed.com\0.evil.com", 21), &host), -EINVAL);
	assert_int_equal(host_parse(slice_of("::1\0", 4), &host), -EINVAL);
	assert_int_equal(host_parse(slice_of("[::1\0]", 6), &host), -EINVAL);
	assert_int_equal(host_parse(slice_of(NULL, 0), &host), -EINVAL);
}

static void test_lengths(void **state)
{
	char text[300];
	struct host host;

	(void)state;
	snprintf(text, sizeof(text), "%s.com", label_63);
	assert_int_equal(host_parse(slice_text(text), &host), 0);
	snprintf(text, sizeof(text), "a%s.com", label_63);
	assert_int_equal(host_parse(slice_text(text), &host), -EINVAL);
	/* 253 bytes, and a dot that does not count; 254. */
	snprintf(text, sizeof(text), "%s.%s.%s.%.61s.", label_63, label_63, label_63, label_63);
	assert_int_equal(host_parse(slice_text(text), &host), 0);
	assert_int_equal(strlen(host.text), 253);
	snprintf(text, sizeof(text), "%s.%s.%s.%.62s", label_63, label_63, label_63, label_63);
	assert_int_equal(host_parse(slice_text(text), &host), -EINVAL);
}

static void test_ports(void **state)
{
	static const struct {
		const char *text;
		uint16_t port; /* 0: refused */
		const char *formatted;
	} cases[] = {
		{"example.com:8080", 8080, "example.com:8080"},
		{"example.com", 443, "example.com:443"},
		{"[::1]:80", 80, "[::1]:80"},
		{"[::1]", 443, "[::1]:443"},
		{"127.1:80", 80, "127.0.0.1:80"},
		{"example.com:65535", 65535, "example.com:65535"},
		{"::1", 0, NULL},
		{"::1:80", 0, NULL},
		{"example.com:", 0, NULL},
		{"example.com:0", 0, NULL},
		{"example.com:080", 0, NULL},
		{"example.com:+80", 0, NULL},
		{"example.com: 80", 0, NULL},
		{"example.com:65536", 0, NULL},
		{"example.com:443:443", 0, NULL},
		{"example.com:4294967739", 0, NULL},
		{":443", 0, NULL},
		{"", 0, NULL},
		{"[::1]x:80", 0, NULL},
		{"[::1]:80]", 0, NULL},
	};

	(void)state;
	for (size_t i = 0; i < array_len(cases); i++) {
		char text[HOST_PORT_TEXT_BYTES];
		struct host host;
		uint16_t port = 0;
		int r = host_parse_port(slice_text(cases[i].text), 443, &host, &port);

		if ((r == 0) != (cases[i].port != 0))
			fail_msg("'%s' gives %d", cases[i].text, r);
		assert_int_equal(port, cases[i].port);
		if (r < 0)
			continue;
		host_format(&host, port, text);
		assert_string_equal(text, cases[i].formatted);
	}
	assert_int_equal(
		host_parse_port(slice_text("example.com"), 0, &(struct host){.text = ""}, &(uint16_t){0}),
		-EINVAL);
}

static void test_classes(void **state)
{
	static const struct {
		const char *text;
		enum address_class class;
	} cases[] = {
		{"8.8.8.8", ADDRESS_PUBLIC},
		{"1.1.1.1", ADDRESS_PUBLIC},
		{"172.15.255.255", ADDRESS_PUBLIC},
		{"172.32.0.0", ADDRESS_PUBLIC},
		{"100.63.255.255", ADDRESS_PUBLIC},
		{"100.128.0.0", ADDRESS_PUBLIC},
		{"198.20.0.0", ADDRESS_PUBLIC},
		{"223.255.255.255", ADDRESS_PUBLIC},
		{"2606:4700::1111", ADDRESS_PUBLIC},
		{"64:ff9b::8.8.8.8", ADDRESS_PUBLIC},
		{"10.0.0.0", ADDRESS_PRIVATE},
		{"172.16.0.0", ADDRESS_PRIVATE},
		{"172.31.255.255", ADDRESS_PRIVATE},
		{"192.168.255.255", ADDRESS_PRIVATE},
		{"100.64.0.0", ADDRESS_PRIVATE},
		{"100.127.255.255", ADDRESS_PRIVATE},
		{"fc00::1", ADDRESS_PRIVATE},
		{"fd12:3456::1", ADDRESS_PRIVATE},
		{"64:ff9b::10.0.0.1", ADDRESS_PRIVATE},
		{"127.255.255.254", ADDRESS_LOOPBACK},
		{"::1", ADDRESS_LOOPBACK},
		{"64:ff9b::127.0.0.1", ADDRESS_LOOPBACK},
		{"169.254.1.1", ADDRESS_LINK_LOCAL},
		{"fe80::1", ADDRESS_LINK_LOCAL},
		{"169.254.169.254", ADDRESS_METADATA},
		{"64:ff9b::169.254.169.254", ADDRESS_METADATA},
		{"169.254.170.2", ADDRESS_METADATA},
		{"100.100.100.200", ADDRESS_METADATA},
		{"168.63.129.16", ADDRESS_METADATA},
		{"fd00:ec2::254", ADDRESS_METADATA},
		{"fd20:ce::254", ADDRESS_METADATA},
		{"224.0.0.1", ADDRESS_MULTICAST},
		{"239.255.255.255", ADDRESS_MULTICAST},
		{"ff02::1", ADDRESS_MULTICAST},
		{"0.0.0.0", ADDRESS_RESERVED},
		{"0.255.255.255", ADDRESS_RESERVED},
		{"192.0.0.1", ADDRESS_RESERVED},
		{"192.0.2.1", ADDRESS_RESERVED},
		{"192.88.99.1", ADDRESS_RESERVED},
		{"198.18.0.1", ADDRESS_RESERVED},
		{"198.19.255.255", ADDRESS_RESERVED},
		{"198.51.100.1", ADDRESS_RESERVED},
		{"203.0.113.1", ADDRESS_RESERVED},
		{"240.0.0.1", ADDRESS_RESERVED},
		{"255.255.255.255", ADDRESS_RESERVED},
		{"::", ADDRESS_RESERVED},
		{"::127.0.0.1", ADDRESS_RESERVED},
		{"::8.8.8.8", ADDRESS_RESERVED},
		{"64:ff9b:1::1", ADDRESS_RESERVED},
		{"100::1", ADDRESS_RESERVED},
		{"2001::1", ADDRESS_RESERVED},
		{"2001:db8::1", ADDRESS_RESERVED},
		{"2002:7f00:1::", ADDRESS_RESERVED},
		{"3fff::1", ADDRESS_RESERVED},
		{"fec0::1", ADDRESS_RESERVED},
		{"4000::1", ADDRESS_RESERVED},
		{"5f00::1", ADDRESS_RESERVED},
		{"e000::1", ADDRESS_RESERVED},
	};

	(void)state;
	for (size_t i = 0; i < array_len(cases); i++) {
		struct host host;

		assert_int_equal(host_parse(slice_text(cases[i].text), &host), 0);
		if (address_classify(&host.address) != cases[i].class)
			fail_msg("%s %s", cases[i].text, address_class_text(address_classify(&host.address)));
	}
}

static void test_local(void **state)
{
	static const char *const names[] = {"localhost", "LocalHost.", "a.localhost"};
	static const char *const others[] = {"notlocalhost", "localhost.evil.com", "127.0.0.1", "host"};
	struct host host;

	(void)state;
	for (size_t i = 0; i < array_len(names); i++) {
		assert_int_equal(host_parse(slice_text(names[i]), &host), 0);
		assert_true(host_is_local(&host));
	}
	for (size_t i = 0; i < array_len(others); i++) {
		assert_int_equal(host_parse(slice_text(others[i]), &host), 0);
		assert_false(host_is_local(&host));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_forms), cmocka_unit_test(test_nul),     cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_ports), cmocka_unit_test(test_classes), cmocka_unit_test(test_local),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
