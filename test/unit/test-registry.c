#include "cli/registry.h"

#include "base/mem.h"
#include "unit.h"

#include <errno.h>

static void parses(const char *url, const char *clean, const char *host, unsigned port)
{
	struct registry registry;

	assert_int_equal(registry_parse(slice_text(url), &registry), 0);
	assert_string_equal(registry.url, clean);
	assert_string_equal(registry.host.text, host);
	assert_int_equal(registry.port, port);
}

static void test_urls(void **state)
{
	struct registry registry;
	static const char *const bad[] = {"",
					  "packages.example.com",
					  "ftp://packages.example.com/",
					  "https://",
					  "https:///path",
					  "https://exa mple.com/",
					  "https://packages.example.com/a b",
					  "https://packages.example.com/$HOME",
					  "https://packages.example.com/?x",
					  "https://packages.example.com:0/",
					  "https://packages.example.com:99999/"};

	(void)state;
	parses("https://packages.example.com/", "https://packages.example.com/", "packages.example.com", 443);
	parses("http://Packages.example.com:4873/npm/all", "http://Packages.example.com:4873/npm/all",
	       "packages.example.com", 4873);
	parses("http://10.1.2.3", "http://10.1.2.3", "10.1.2.3", 80);
	parses("https://[fd00::1]:8443/", "https://[fd00::1]:8443/", "fd00::1", 8443);
	/* What opens it stays here. */
	parses("https://me:secret@packages.example.com/x/", "https://packages.example.com/x/",
	       "packages.example.com", 443);
	for (size_t i = 0; i < array_len(bad); i++)
		assert_int_equal(registry_parse(slice_text(bad[i]), &registry), -EINVAL);
}

static void finds(const char *npmrc, const char *value)
{
	assert_true(slice_is(registry_in(slice_text(npmrc)), value));
}

static void test_npmrc(void **state)
{
	(void)state;
	finds("", "");
	finds("registry", "");
	finds("# registry=https://a.example/\n", "");
	finds("registry=https://a.example/", "https://a.example/");
	finds("save-exact=true\n registry = \"https://a.example/\" \r\nx=y\n", "https://a.example/");
	finds("registry=https://a.example/\nregistry=https://b.example/\n", "https://b.example/");
	finds("@acme:registry=https://a.example/\n//a.example/:_authToken=x\n", "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_urls),
		cmocka_unit_test(test_npmrc),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
