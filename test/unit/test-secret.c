/* Bindings as text: what is read, what is refused and how, what is written is read again; hosts; headers. */
#include "wire/secret.h"

#include "unit.h"

#include <errno.h>

static const char github[] = "# comment\n\nservice github\r\n"
			     "  summary git and the API\n"
			     "env GH_TOKEN\nenv GITHUB_TOKEN\n"
			     "header Authorization: Bearer %s\n"
			     "host api.github.com\nhost *.actions.example:8443\nhost **.deep.example\n"
			     "header Authorization: Basic x-access-token:%s\n"
			     "host github.com\nhost [2001:db8::1]:444\n"
			     "placeholder ghp_0123456789abcdef\n"
			     "value tok en\n"
			     "service other\nforget";

static int first(const char *text, struct secret_binding *ret, struct err *err)
{
	struct secret_reader reader = {.text = slice_text(text)};

	return secret_next(&reader, ret, err);
}

static void test_read(void **state)
{
	struct secret_reader reader = {.text = slice_text(github)};
	struct secret_binding binding;
	struct err err;

	(void)state;
	assert_int_equal(secret_next(&reader, &binding, &err), 1);
	assert_true(slice_is(binding.service, "github") && slice_is(binding.summary, "git and the API"));
	assert_int_equal(binding.n_names, 2);
	assert_true(slice_is(binding.names[1], "GITHUB_TOKEN"));
	assert_int_equal(binding.n_hosts, 5);
	assert_true(slice_is(binding.hosts[0].format, "Bearer %s"));
	assert_true(slice_is(binding.hosts[3].format, "Basic x-access-token:%s"));
	assert_int_equal(binding.hosts[1].port, 8443);
	assert_true(slice_is(binding.hosts[4].pattern, "2001:db8::1") && binding.hosts[4].port == 444);
	assert_int_equal(binding.state, SECRET_VALUE);
	assert_true(slice_is(binding.value, "tok en"));
	assert_int_equal(secret_next(&reader, &binding, &err), 1);
	assert_true(slice_is(binding.service, "other") && binding.state == SECRET_FORGET);
	assert_int_equal(secret_next(&reader, &binding, &err), 0);
}

static void test_round_trip(void **state)
{
	struct secret_binding before, after;
	auto_buf struct buf text = {0}, again = {0}, bare = {0};
	struct err err;

	(void)state;
	assert_int_equal(first(github, &before, &err), 1);
	assert_int_equal(secret_write(&text, &before, true), 0);
	assert_int_equal(first(buf_text(&text), &after, &err), 1);
	assert_int_equal(secret_write(&again, &after, true), 0);
	assert_string_equal(buf_text(&text), buf_text(&again));
	assert_int_equal(secret_write(&bare, &after, false), 0);
	assert_null(strstr(buf_text(&bare), "value"));
	assert_null(strstr(buf_text(&bare), "tok en"));
}

static void test_refused(void **state)
{
	static const struct {
		const char *text, *says;
	} rows[] = {
		{"env A\n", "line 1, 'env'"},
		{"service Big\n", "begins with"},
		{"service -a\n", "begins with"},
		{"service a\nhost x.example\n", "line 2, 'host': a host comes after"},
		{"service a\nheader X-Key: plain\n", "must hold %s"},
		{"service a\nheader X-Key: %s%s\n", "must hold %s"},
		{"service a\nheader X-Key: %d %s\n", "must hold %s"},
		{"service a\nheader X Key: %s\n", "NAME: FORMAT"},
		{"service a\nheader : %s\n", "NAME: FORMAT"},
		{"service a\nheader A: %s\nhost X.example\n", "lower case"},
		{"service a\nheader A: %s\nhost *\n", "lower case"},
		{"service a\nheader A: %s\nhost *.com\n", "lower case"},
		{"service a\nheader A: %s\nhost ***.a.b\n", "lower case"},
		{"service a\nheader A: %s\nhost a.*.b\n", "lower case"},
		{"service a\nheader A: %s\nhost a..b\n", "lower case"},
		{"service a\nheader A: %s\nhost a.b:0\n", "no port"},
		{"service a\nheader A: %s\nhost a.b:65536\n", "no port"},
		{"service a\nenv 1A\n", "no name of a variable"},
		{"service a\nplaceholder a b\n", "holds what it may not"},
		{"service a\nplaceholder a\nplaceholder a\n", "line 3, 'placeholder': it is said twice"},
		{"service a\nvalue\n", "empty"},
		{"service a\nvalue \033secret\n", "what no header can"},
		{"service a\nvalue secret\nkeep\n", "said twice"},
		{"service a\nkeep secret\n", "nothing may follow"},
		{"service a\nsecret-that-was-pasted\n", "line 2: there is no such word"},
	};

	(void)state;
	for (size_t i = 0; i < array_len(rows); i++) {
		struct secret_binding binding;
		struct err err;

		assert_true(first(rows[i].text, &binding, &err) < 0);
		if (!strstr(err.text, rows[i].says))
			fail_msg("%s: %s", rows[i].text, err.text);
		assert_null(strstr(err.text, "secret-that"));
	}
}

static void test_limits(void **state)
{
	auto_buf struct buf text = {0};
	struct secret_binding binding;
	struct err err;

	(void)state;
	assert_int_equal(buf_printf(&text, "service a\nheader A: %%s\n"), 0);
	for (unsigned i = 0; i <= SECRET_HOSTS_MAX; i++)
		assert_int_equal(buf_printf(&text, "host h%u.example\n", i), 0);
	assert_int_equal(first(buf_text(&text), &binding, &err), -E2BIG);
}

static void test_values(void **state)
{
	static char long_one[SECRET_VALUE_MAX_BYTES + 1];
	struct err err;

	(void)state;
	memset(long_one, 'x', sizeof(long_one));
	assert_int_equal(secret_check_value(slice_of(long_one, sizeof(long_one) - 1), &err), 0);
	assert_int_equal(secret_check_value(slice_of(long_one, sizeof(long_one)), &err), -EFBIG);
	assert_int_equal(secret_check_value(slice_text(""), &err), -EINVAL);
	assert_non_null(strstr(err.text, "empty"));
	assert_int_equal(secret_check_value(slice_of("a\0b", 3), &err), -EINVAL);
	assert_non_null(strstr(err.text, "NUL"));
	assert_int_equal(secret_check_value(slice_text("a\nb"), &err), -EINVAL);
	assert_non_null(strstr(err.text, "several lines"));
	assert_int_equal(secret_check_value(slice_text(" a"), &err), -EINVAL);
	assert_int_equal(secret_check_value(slice_text("\303\244"), &err), -EINVAL);
}

static void check_host(const char *name, uint16_t port, const char *format)
{
	struct secret_binding binding;
	const struct secret_host *host;
	struct err err;

	assert_int_equal(first(github, &binding, &err), 1);
	host = secret_find_host(&binding, slice_text(name), port);
	assert_true(!host == !format);
	if (format)
		assert_true(slice_is(host->format, format));
}

static void test_hosts(void **state)
{
	(void)state;
	check_host("api.github.com", 443, "Bearer %s");
	check_host("api.github.com", 80, NULL);
	check_host("github.com", 443, "Basic x-access-token:%s");
	check_host("xgithub.com", 443, NULL);
	check_host("github.com.evil.example", 443, NULL);
	check_host("a.actions.example", 8443, "Bearer %s");
	check_host("a.b.actions.example", 8443, NULL);
	check_host("actions.example", 8443, NULL);
	check_host("a.b.deep.example", 443, "Bearer %s");
	check_host("deep.example", 443, NULL);
	check_host(".deep.example", 443, NULL);
	check_host("2001:db8::1", 444, "Basic x-access-token:%s");
	check_host("", 443, NULL);
}

static void check_fill(const char *format, const char *value, const char *wanted)
{
	auto_buf struct buf text = {0};

	assert_int_equal(buf_append(&text, slice_text("before ")), 0);
	assert_int_equal(secret_fill(slice_text(format), slice_text(value), &text), 0);
	assert_string_equal(buf_text(&text) + 7, wanted);
}

static void test_fill(void **state)
{
	(void)state;
	check_fill("%s", "abc", "abc");
	check_fill("Bearer %s", "abc", "Bearer abc");
	check_fill("key=%s;v=1", "100%s", "key=100%s;v=1");
	/* RFC 7617 and RFC 4648. */
	check_fill("Basic %s", "Aladdin:open sesame", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
	check_fill("Basic %s", "f", "Basic Zg==");
	check_fill("Basic %s", "fo", "Basic Zm8=");
	check_fill("Basic %s", "foo", "Basic Zm9v");
	check_fill("Basic %s", "foob", "Basic Zm9vYg==");
	check_fill("Basic x-access-token:%s", "ghp_abc", "Basic eC1hY2Nlc3MtdG9rZW46Z2hwX2FiYw==");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_read),    cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_refused), cmocka_unit_test(test_limits),
		cmocka_unit_test(test_values),  cmocka_unit_test(test_hosts),
		cmocka_unit_test(test_fill),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
