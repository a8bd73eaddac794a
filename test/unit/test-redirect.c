#include "policy/redirect.h"

#include "base/buf.h"

#include "unit.h"

#include <errno.h>
#include <stdio.h>

static const struct redirect *find(const struct redirects *redirects, const char *authority)
{
	struct host host;
	uint16_t port;

	assert_int_equal(host_parse_port(slice_text(authority), 0, &host, &port), 0);
	return redirects_find(redirects, &host, port);
}

static void test_good(void **state)
{
	static const char text[] = "API.Example.com:443=127.0.0.1:8443,10.0.0.1:80=[::1]:1";
	struct redirects redirects;
	const struct redirect *found;

	(void)state;
	assert_int_equal(redirects_parse(slice_text(text), &redirects, NULL), 0);
	assert_int_equal(redirects.count, 2);
	found = find(&redirects, "api.example.com:443");
	assert_non_null(found);
	assert_int_equal(found->to_port, 8443);
	assert_true(IN6_IS_ADDR_V4MAPPED(&found->to));
	assert_int_equal(found->to.s6_addr[12], 127);
	assert_int_equal(find(&redirects, "10.0.0.1:80")->to_port, 1);
	assert_null(find(&redirects, "api.example.com:80"));
	assert_null(find(&redirects, "x.api.example.com:443"));
	assert_int_equal(redirects_parse(slice_text(""), &redirects, NULL), 0);
	assert_int_equal(redirects.count, 0);
}

static void test_bad(void **state)
{
	static const char *const bad[] = {
		"a.example:443",
		"a.example=127.0.0.1:1",
		"a.example:443=127.0.0.1",
		"a.example:443=b.example:443",
		"a.example:443=127.0.0.1:0",
		"*.example:443=127.0.0.1:1",
		"a.example:443=127.0.0.1:1,",
		",a.example:443=127.0.0.1:1",
		"a.example:443=127.0.0.1:1 ,b.example:443=127.0.0.1:1",
		"a.example:443=127.0.0.1:1,A.example:443=127.0.0.1:2",
		"=",
		",",
	};
	struct redirects redirects = {.count = 7};
	auto_buf struct buf many = {0};
	struct err err;

	(void)state;
	for (size_t i = 0; i < array_len(bad); i++) {
		assert_int_equal(redirects_parse(slice_text(bad[i]), &redirects, &err), -EINVAL);
		assert_int_equal(redirects.count, 7);
	}
	for (int i = 0; i <= REDIRECTS_MAX; i++)
		assert_int_equal(buf_printf(&many, "%sx%d:1=127.0.0.1:1", i > 0 ? "," : "", i), 0);
	assert_int_equal(redirects_parse(buf_slice(&many), &redirects, &err), -E2BIG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
