#include "proxy/denial.h"
#include "proxy/override.h"
#include "proxy/resolver-text.h"
#include "proxy/target.h"
#include "proxy/upstream.h"

#include "unit.h"

#include <errno.h>

/* ---- where a request goes ---- */

struct target_case {
	const char *connection; /* name:port, NULL for the proxy's own port */
	const char *head;       /* "\r\n" behind the last field is added */
	const char *path;       /* NULL: refused */
	unsigned status;
};

static void check_target(const struct target_case *row)
{
	auto_buf struct buf text = {0};
	struct http1_head head;
	struct target target;
	struct host name;
	uint16_t port = 0;
	unsigned status;
	const char *why;
	size_t used;

	if (row->connection)
		assert_int_equal(host_parse_port(slice_text(row->connection), 0, &name, &port), 0);
	buf_printf(&text, "%s\r\n", row->head);
	assert_int_equal(http1_parse_request(buf_slice(&text), &head, &used), PARSED_OK);
	why = target_parse(&head, row->connection ? &name : NULL, port, &target, &status);
	if (!row->path && !why)
		fail_msg("taken: %s", row->head);
	if (row->path && why)
		fail_msg("%s: %s", why, row->head);
	if (row->path)
		assert_true(slice_is(target.path, row->path));
	else
		assert_int_equal(status, row->status);
}

static void test_targets(void **state)
{
	static const struct target_case cases[] = {
		{"a.com:80", "GET /x?y HTTP/1.1\r\nHost: a.com\r\n", "/x?y", 0},
		{"a.com:80", "GET / HTTP/1.1\r\nHost: A.COM.:80\r\n", "/", 0},
		{"a.com:8080", "GET / HTTP/1.1\r\nHost: a.com:8080\r\n", "/", 0},
		{"a.com:8080", "GET / HTTP/1.1\r\nHost: a.com\r\n", "/", 0},
		{"[::1]:80", "GET / HTTP/1.1\r\nHost: [0:0::1]\r\n", "/", 0},
		{"10.0.0.1:80", "GET / HTTP/1.1\r\nHost: 10.0.0.1\r\n", "/", 0},
		{"a.com:80", "GET http://a.com/x HTTP/1.1\r\nHost: a.com\r\n", "/x", 0},
		{"a.com:80", "OPTIONS * HTTP/1.1\r\nHost: a.com\r\n", "*", 0},
		{"a.com:80", "GET / HTTP/1.0\r\n", "/", 0},
		{"a.com:80", "GET / HTTP/1.1\r\n", NULL, 400},
		{"a.com:80", "GET / HTTP/1.1\r\nHost: a.com\r\nHost: a.com\r\n", NULL, 400},
		{"a.com:80", "GET / HTTP/1.1\r\nHost: b.com\r\n", NULL, 421},
		{"a.com:80", "GET / HTTP/1.1\r\nHost: a.com:81\r\n", NULL, 421},
		{"a.com:80", "GET / HTTP/1.1\r\nHost: a.com.evil.com\r\n", NULL, 421},
		{"a.com:80", "GET / HTTP/1.1\r\nHost: a.com, b.com\r\n", NULL, 400},
		{"a.com:80", "GET / HTTP/1.1\r\nHost: a.com@b.com\r\n", NULL, 400},
		{"a.com:80", "GET / HTTP/1.1\r\nHost:\r\n", NULL, 400},
		{"a.com:80", "GET http://b.com/ HTTP/1.1\r\nHost: a.com\r\n", NULL, 421},
		{"a.com:80", "GET http://b.com/ HTTP/1.1\r\nHost: b.com\r\n", NULL, 421},
		{"a.com:80", "GET https://a.com/ HTTP/1.1\r\nHost: a.com\r\n", NULL, 400},
		{"a.com:80", "GET http://a.com@b.com/ HTTP/1.1\r\nHost: a.com\r\n", NULL, 400},
		{"a.com:80", "GET a.com HTTP/1.1\r\nHost: a.com\r\n", NULL, 400},
		{"a.com:80", "GET * HTTP/1.1\r\nHost: a.com\r\n", NULL, 400},
		{"a.com:80", "GET /#x HTTP/1.1\r\nHost: a.com\r\n", NULL, 400},
		{"a.com:80", "TRACE / HTTP/1.1\r\nHost: a.com\r\n", NULL, 405},
		{"a.com:80", "CONNECT b.com:443 HTTP/1.1\r\nHost: b.com\r\n", NULL, 405},
		{NULL, "GET http://a.com HTTP/1.1\r\nHost: a.com\r\n", "/", 0},
		{NULL, "GET http://a.com:81/x HTTP/1.1\r\nHost: a.com:81\r\n", "/x", 0},
		{NULL, "GET http://a.com/ HTTP/1.1\r\nHost: b.com\r\n", NULL, 421},
		{NULL, "GET / HTTP/1.1\r\nHost: a.com\r\n", NULL, 400},
		{NULL, "CONNECT a.com:443 HTTP/1.1\r\nHost: a.com:443\r\n", "", 0},
		{NULL, "CONNECT a.com:443 HTTP/1.1\r\n", "", 0},
		{NULL, "CONNECT a.com HTTP/1.1\r\n", NULL, 400},
		{NULL, "CONNECT a.com:443 HTTP/1.1\r\nHost: b.com:443\r\n", NULL, 421},
	};

	(void)state;
	for (size_t i = 0; i < array_len(cases); i++)
		check_target(&cases[i]);
}

/* ---- resolv.conf ---- */

static void check_servers(const char *text, const char *expected)
{
	auto_buf struct buf servers = {0};

	assert_int_equal(resolver_servers(slice_text(text), &servers), 0);
	assert_string_equal(buf_text(&servers), expected);
}

static void test_resolver_text(void **state)
{
	(void)state;
	check_servers("", "127.0.0.1:53");
	check_servers("# comment\nsearch x\nnameserver 192.0.2.1\n", "192.0.2.1:53");
	check_servers("nameserver\t2001:db8::1  \noptions ndots:5", "[2001:db8::1]:53");
	check_servers("nameserver 1.1.1.1\nnameserver 1.1.1.2\nnameserver 1.1.1.3\nnameserver 1.1.1.4\n",
		      "1.1.1.1:53,1.1.1.2:53,1.1.1.3:53");
	check_servers("nameserver fe80::1%eth0\nnameserver 192.0.2.1:5353", "192.0.2.1:5353");
	check_servers("nameserver evil.example\nnameserverx 192.0.2.1\n nameserver 192.0.2.2\r\n",
		      "192.0.2.2:53");
}

/* ---- the host's own proxy ---- */

static bool goes_by_proxy(const struct upstream *upstream, const char *name)
{
	struct host host;

	assert_int_equal(host_parse(slice_text(name), &host), 0);
	return upstream_for(upstream, &host, 443, false) != NULL;
}

static void test_upstream(void **state)
{
	static const char *const exempt[] = {"a.internal", "x.a.internal", "b.example", "10.1.2.3",
					     "localhost",  "127.0.0.1",    "fd00::1",   "c.example"};
	static const char *const by_proxy[] = {"example.com", "xa.internal", "11.0.0.1", "fe00::1",
					       "x.c.test"};
	struct upstream upstream = {0};
	auto_buf struct buf out = {0};
	struct host host;

	(void)state;
	assert_int_equal(
		upstream_parse(slice_text("http_proxy=proxy.corp:3128\n"
					  "https_proxy=http://me:p%40ss@Proxy.Corp:8080/\n"
					  "no_proxy=.a.internal, b.example,10.0.0.0/8 fd00::/8,*.c.example\n"
					  "other=x\n"),
			       &upstream),
		0);
	assert_string_equal(upstream.https.host.text, "proxy.corp");
	assert_int_equal(upstream.https.port, 8080);
	assert_int_equal(upstream.http.port, 3128);
	for (size_t i = 0; i < array_len(exempt); i++)
		if (goes_by_proxy(&upstream, exempt[i]))
			fail_msg("by the proxy: %s", exempt[i]);
	for (size_t i = 0; i < array_len(by_proxy); i++)
		if (!goes_by_proxy(&upstream, by_proxy[i]))
			fail_msg("directly: %s", by_proxy[i]);
	assert_int_equal(host_parse(slice_text("example.com"), &host), 0);
	assert_int_equal(upstream_request(&out, &upstream.https, &host, 443), 0);
	assert_string_equal(buf_text(&out), "CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n"
					    "Proxy-Authorization: Basic bWU6cEBzcw==\r\n\r\n");
	assert_int_equal(upstream_parse(slice_text("https_proxy=socks5://x:1\n"), &upstream), -EINVAL);
	assert_int_equal(upstream.https.port, 8080);
	assert_int_equal(upstream_parse(slice_text(""), &upstream), 0);
	assert_false(goes_by_proxy(&upstream, "example.com"));
	upstream_done(&upstream);
}

/* ---- other methods ---- */

static void test_overrides(void **state)
{
	static const char *const bad[] = {"GET, DELETE", "", "GET/", "G\xc9T",
					  "GETGETGETGETGETGETGETGETGETGETGET"};
	auto_buf struct buf text = {0};
	char method[OVERRIDE_METHOD_BYTES];
	struct http1_head head;
	size_t used, at = 0;

	(void)state;
	buf_printf(&text, "GET / HTTP/1.1\r\nX-HTTP-Method-Override-Not: a\r\nX-Http-Method: put\r\nA: b\r\n"
			  "x_method_override:  M-Search \r\nHTTP-Method-Override: GET\r\n\r\n");
	assert_int_equal(http1_parse_request(buf_slice(&text), &head, &used), PARSED_OK);
	assert_int_equal(override_next(&head, &at, method), PARSED_OK);
	assert_string_equal(method, "PUT");
	assert_int_equal(override_next(&head, &at, method), PARSED_OK);
	assert_string_equal(method, "M-SEARCH");
	assert_int_equal(override_next(&head, &at, method), PARSED_OK);
	assert_string_equal(method, "GET");
	assert_int_equal(override_next(&head, &at, method), PARSED_MORE);
	for (size_t i = 0; i < array_len(bad); i++) {
		at = 0;
		buf_clear(&text);
		buf_printf(&text, "GET / HTTP/1.1\r\nX-HTTP-Method-Override: %s\r\n\r\n", bad[i]);
		assert_int_equal(http1_parse_request(buf_slice(&text), &head, &used), PARSED_OK);
		if (override_next(&head, &at, method) != PARSED_BAD)
			fail_msg("taken: %s", bad[i]);
	}
}

/* ---- what a person reads ---- */

static void test_denial(void **state)
{
	struct record record = {.host = "fd00::1", .port = 80};
	auto_buf struct buf text = {0};

	(void)state;
	assert_int_equal(denial_text(&text, &record, "box"), 0);
	assert_string_equal(
		buf_text(&text),
		"Blocked by sbx policy: [fd00::1]:80\n"
		"no rule allows it; this would: sbx policy allow network [fd00::1]:80 --sandbox box\n");
	buf_clear(&text);
	record_set(&record.rule, slice_text("deny fd00::/8"));
	assert_int_equal(denial_text(&text, &record, "box"), 0);
	assert_non_null(strstr(buf_text(&text), "the rule that decided: deny fd00::/8\n"));
	record_done(&record);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_targets),  cmocka_unit_test(test_resolver_text),
		cmocka_unit_test(test_upstream), cmocka_unit_test(test_overrides),
		cmocka_unit_test(test_denial),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
