/* Rules and verdicts, by table: policy text, request, answer. */
#include "base/buf.h"
#include "policy/path.h"
#include "policy/rule.h"

#include "unit.h"

#include <errno.h>
#include <stdio.h>

struct verdict_case {
	const char *policy;
	const char *target; /* HOST:PORT */
	enum policy_protocol protocol;
	const char *method, *path;
	const char *expected; /* "allow", "deny", with " inside" behind it where that is needed */
	const char *rule;     /* NULL: none */
};

static void parse(const char *text, struct policy *ret)
{
	struct policy_error error;

	policy_init(ret);
	if (policy_parse(slice_text(text), "test", ret, &error) < 0)
		fail_msg("line %u: %s in %s", error.line, error.text, text);
}

static void judge(const struct verdict_case *test)
{
	auto_policy struct policy policy;
	struct host host;
	struct policy_request request = {.host = &host,
					 .protocol = test->protocol,
					 .method = slice_text(test->method ? test->method : ""),
					 .path = slice_text(test->path ? test->path : "")};
	struct judgement judgement;
	char got[32];

	parse(test->policy, &policy);
	assert_int_equal(host_parse_port(slice_text(test->target), 443, &host, &request.port), 0);
	policy_judge(&policy, &request, &judgement);
	snprintf(got, sizeof(got), "%s%s", judgement.verdict == VERDICT_ALLOW ? "allow" : "deny",
		 judgement.needs_inside ? " inside" : "");
	if (strcmp(got, test->expected) != 0)
		fail_msg("[%s] %s %s %s: %s", test->policy, test->target, test->method ? test->method : "",
			 test->path ? test->path : "", got);
	if (test->rule)
		assert_string_equal(judgement.rule ? judgement.rule : "(none)", test->rule);
	else if (test->expected[0] == 'd')
		assert_null(judgement.rule);
}

static void judge_all(const struct verdict_case *cases, size_t count)
{
	for (size_t i = 0; i < count; i++)
		judge(&cases[i]);
}

static void test_names(void **state)
{
	static const char one[] = "allow example.com", below[] = "allow *.x.dev", deep[] = "allow **.x.dev";
	static const struct verdict_case cases[] = {
		{"", "example.com", POLICY_TLS, NULL, NULL, "deny", NULL},
		{one, "example.com", POLICY_TLS, NULL, NULL, "allow", one},
		{one, "EXAMPLE.COM.", POLICY_TLS, NULL, NULL, "allow", one},
		{one, "example.com:80", POLICY_HTTP, NULL, NULL, "allow", one},
		{one, "example.com:8443", POLICY_TLS, NULL, NULL, "deny", NULL},
		{one, "example.com", POLICY_TCP, NULL, NULL, "deny", NULL},
		{one, "www.example.com", POLICY_TLS, NULL, NULL, "deny", NULL},
		{one, "evilexample.com", POLICY_TLS, NULL, NULL, "deny", NULL},
		{one, "example.com.evil.com", POLICY_TLS, NULL, NULL, "deny", NULL},
		{one, "xn--exmple-cua.com", POLICY_TLS, NULL, NULL, "deny", NULL},
		{"allow Example.COM.", "example.com", POLICY_TLS, NULL, NULL, "allow", one},
		{below, "a.x.dev", POLICY_TLS, NULL, NULL, "allow", below},
		{below, "a.b.x.dev", POLICY_TLS, NULL, NULL, "deny", NULL},
		{below, "x.dev", POLICY_TLS, NULL, NULL, "deny", NULL},
		{below, "ax.dev", POLICY_TLS, NULL, NULL, "deny", NULL},
		{deep, "a.x.dev", POLICY_TLS, NULL, NULL, "allow", deep},
		{deep, "a.b.c.x.dev", POLICY_TLS, NULL, NULL, "allow", deep},
		{deep, "x.dev", POLICY_TLS, NULL, NULL, "deny", NULL},
		{deep, "ax.dev", POLICY_TLS, NULL, NULL, "deny", NULL},
		{deep, "a.x.dev.evil.com", POLICY_TLS, NULL, NULL, "deny", NULL},
		{"allow **", "any.thing", POLICY_TLS, NULL, NULL, "allow", "allow **"},
		{"allow **", "any.thing:22", POLICY_TCP, NULL, NULL, "deny", NULL},
		{"allow-all", "any.thing:22", POLICY_TCP, NULL, NULL, "allow", "allow-all"},
	};

	(void)state;
	judge_all(cases, sizeof(cases) / sizeof(cases[0]));
}

static void test_ports_and_protocols(void **state)
{
	static const char database[] = "allow db.internal:5432 tcp", range[] = "allow a.b:8000-8999";
	static const struct verdict_case cases[] = {
		{database, "db.internal:5432", POLICY_TCP, NULL, NULL, "allow", database},
		{database, "db.internal:5432", POLICY_TLS, NULL, NULL, "allow", database},
		{database, "db.internal:5433", POLICY_TCP, NULL, NULL, "deny", NULL},
		{database, "db.internal:443", POLICY_TLS, NULL, NULL, "deny", NULL},
		{range, "a.b:8000", POLICY_HTTP, NULL, NULL, "allow", range},
		{range, "a.b:8999", POLICY_HTTP, NULL, NULL, "allow", range},
		{range, "a.b:7999", POLICY_HTTP, NULL, NULL, "deny", NULL},
		{range, "a.b:9000", POLICY_HTTP, NULL, NULL, "deny", NULL},
		{"allow a.b:*", "a.b:1", POLICY_HTTP, NULL, NULL, "allow", "allow a.b:*"},
	};

	(void)state;
	judge_all(cases, sizeof(cases) / sizeof(cases[0]));
}

static void test_deny_beats_allow(void **state)
{
	static const struct verdict_case cases[] = {
		{"allow **.github.com\ndeny gist.github.com", "gist.github.com", POLICY_TLS, NULL, NULL,
		 "deny", "deny gist.github.com"},
		{"deny gist.github.com\nallow **.github.com", "gist.github.com", POLICY_TLS, NULL, NULL,
		 "deny", "deny gist.github.com"},
		{"allow **.github.com\ndeny gist.github.com", "api.github.com", POLICY_TLS, NULL, NULL,
		 "allow", "allow **.github.com"},
		/* without a port it means every port and protocol */
		{"allow-all\ndeny a.b", "a.b:22", POLICY_TCP, NULL, NULL, "deny", "deny a.b"},
		{"allow-all\ndeny a.b:22", "a.b:22", POLICY_TCP, NULL, NULL, "deny", "deny a.b:22"},
		{"allow-all\ndeny a.b:22", "a.b:443", POLICY_TLS, NULL, NULL, "allow", "allow-all"},
		{"allow localhost:80\ndeny **", "localhost:80", POLICY_HTTP, NULL, NULL, "deny", "deny **"},
		{"allow 10.0.0.0/8:22 tcp\ndeny **", "10.0.0.1:22", POLICY_TCP, NULL, NULL, "deny",
		 "deny **"},
		{"allow-all\ndeny 0.0.0.0/0", "8.8.8.8", POLICY_TLS, NULL, NULL, "deny", "deny 0.0.0.0/0"},
	};

	(void)state;
	judge_all(cases, sizeof(cases) / sizeof(cases[0]));
}

static void test_addresses(void **state)
{
	static const char lan[] = "allow 10.0.0.0/8:22 tcp", six[] = "allow [fd00::/8]:22 tcp";
	static const struct verdict_case cases[] = {
		{lan, "10.1.2.3:22", POLICY_TCP, NULL, NULL, "allow", lan},
		{lan, "0xa010203:22", POLICY_TCP, NULL, NULL, "allow", lan},
		{lan, "[::ffff:10.1.2.3]:22", POLICY_TCP, NULL, NULL, "allow", lan},
		{lan, "[64:ff9b::10.1.2.3]:22", POLICY_TCP, NULL, NULL, "allow", lan},
		{lan, "11.1.2.3:22", POLICY_TCP, NULL, NULL, "deny", NULL},
		{lan, "[2002:a01:203::]:22", POLICY_TCP, NULL, NULL, "deny", NULL},
		{six, "[fd12::1]:22", POLICY_TCP, NULL, NULL, "allow", six},
		{six, "[fc12::1]:22", POLICY_TCP, NULL, NULL, "deny", NULL},
		/* everybody is not everything */
		{"allow-all", "8.8.8.8", POLICY_TLS, NULL, NULL, "allow", "allow-all"},
		{"allow-all", "10.0.0.1", POLICY_TLS, NULL, NULL, "deny", NULL},
		{"allow-all", "127.1", POLICY_TLS, NULL, NULL, "deny", NULL},
		{"allow-all", "0", POLICY_TLS, NULL, NULL, "deny", NULL},
		{"allow-all", "[::]", POLICY_TLS, NULL, NULL, "deny", NULL},
		{"allow-all", "2852039166:80", POLICY_HTTP, NULL, NULL, "deny", NULL},
		{"allow-all", "[::ffff:169.254.169.254]:80", POLICY_HTTP, NULL, NULL, "deny", NULL},
		{"allow-all", "[64:ff9b::a9fe:a9fe]:80", POLICY_HTTP, NULL, NULL, "deny", NULL},
		{"allow-all", "localhost:80", POLICY_HTTP, NULL, NULL, "deny", NULL},
		{"allow-all", "x.localhost:80", POLICY_HTTP, NULL, NULL, "deny", NULL},
		{"allow 0.0.0.0/0", "10.0.0.1", POLICY_TLS, NULL, NULL, "deny", NULL},
		{"allow ::/0", "10.0.0.1", POLICY_TLS, NULL, NULL, "deny", NULL},
		{"allow ::/0", "8.8.8.8", POLICY_TLS, NULL, NULL, "deny", NULL},
		{"allow ::/0", "[::1]", POLICY_TLS, NULL, NULL, "deny", NULL},
		{"allow ::/0", "[2606:4700::1]", POLICY_TLS, NULL, NULL, "allow", "allow ::/0"},
		{"allow 169.254.0.0/16", "169.254.169.254:80", POLICY_HTTP, NULL, NULL, "deny", NULL},
		{"allow 169.254.169.254", "169.254.169.254:80", POLICY_HTTP, NULL, NULL, "allow",
		 "allow 169.254.169.254"},
		{"allow localhost:8080", "localhost:8080", POLICY_HTTP, NULL, NULL, "allow",
		 "allow localhost:8080"},
		{"allow localhost:8080", "localhost:8081", POLICY_HTTP, NULL, NULL, "deny", NULL},
		{"allow localhost:8080", "127.0.0.1:8080", POLICY_HTTP, NULL, NULL, "deny", NULL},
	};

	(void)state;
	judge_all(cases, sizeof(cases) / sizeof(cases[0]));
}

static void test_methods_and_paths(void **state)
{
	static const char read[] = "allow a.b method=GET,HEAD path=/repos/**";
	static const char carved[] = "allow a.b\ndeny a.b method=POST path=/admin/**",
			  deny[] = "deny a.b method=POST "
				   "path=/admin/**";
	static const struct verdict_case cases[] = {
		{read, "a.b", POLICY_TLS, NULL, NULL, "deny inside", read},
		{read, "a.b", POLICY_TLS, "GET", "/repos/x", "allow", read},
		{read, "a.b:80", POLICY_HTTP, "HEAD", "/repos/x/y?z=1", "allow", read},
		{read, "a.b", POLICY_TLS, "POST", "/repos/x", "deny", NULL},
		{read, "a.b", POLICY_TLS, "get", "/repos/x", "deny", NULL},
		{read, "a.b", POLICY_TLS, "GE", "/repos/x", "deny", NULL},
		{read, "a.b", POLICY_TLS, "GET,HEAD", "/repos/x", "deny", NULL},
		{read, "a.b", POLICY_TLS, "GET", "/user", "deny", NULL},
		{read, "a.b", POLICY_TLS, "GET", "", "deny", NULL},
		{read, "a.b", POLICY_TCP, NULL, NULL, "deny", NULL},
		/* what some server reads as another path */
		{read, "a.b", POLICY_TLS, "GET", "/repos/../user", "deny", NULL},
		{read, "a.b", POLICY_TLS, "GET", "/repos/%2e%2e/user", "deny", NULL},
		{read, "a.b", POLICY_TLS, "GET", "/repos/%2E./user", "deny", NULL},
		{read, "a.b", POLICY_TLS, "GET", "/repos/..;/user", "deny", NULL},
		{read, "a.b", POLICY_TLS, "GET", "/repos/x;y", "deny", NULL},
		{read, "a.b", POLICY_TLS, "GET", "/repos//user", "deny", NULL},
		{read, "a.b", POLICY_TLS, "GET", "/repos/..%2fuser", "deny", NULL},
		{read, "a.b", POLICY_TLS, "GET", "/repos/..%5cuser", "deny", NULL},
		{read, "a.b", POLICY_TLS, "GET", "/repos/..\\user", "deny", NULL},
		{read, "a.b", POLICY_TLS, "GET", "/repos/%252e%252e/user", "deny", NULL},
		{read, "a.b", POLICY_TLS, "GET", "/repos/x%00", "deny", NULL},
		{read, "a.b", POLICY_TLS, "GET", "/repos/%zz", "deny", NULL},
		{read, "a.b", POLICY_TLS, "GET", "/repos/%2", "deny", NULL},
		{read, "a.b", POLICY_TLS, "GET", "/repos/x y", "deny", NULL},
		{read, "a.b", POLICY_TLS, "GET", "/Repos/x", "deny", NULL},
		{read, "a.b", POLICY_TLS, "GET", "repos/x", "deny", NULL},
		{read, "a.b", POLICY_TLS, "GET", "http://a.b/repos/x", "deny", NULL},
		{read, "a.b", POLICY_TLS, "GET", "/rep%6fs/x", "allow", read},
		/* carving: what cannot be told is denied */
		{carved, "a.b", POLICY_TLS, NULL, NULL, "deny inside", deny},
		{carved, "a.b", POLICY_TLS, "GET", "/admin/x", "allow", "allow a.b"},
		{carved, "a.b", POLICY_TLS, "POST", "/user", "allow", "allow a.b"},
		{carved, "a.b", POLICY_TLS, "POST", "/admin", "deny", deny},
		{carved, "a.b", POLICY_TLS, "POST", "/ADMIN/x", "deny", deny},
		{carved, "a.b", POLICY_TLS, "POST", "/%61dmin/x", "deny", deny},
		{carved, "a.b", POLICY_TLS, "POST", "/x/../admin", "deny", deny},
		{carved, "a.b", POLICY_TLS, "POST", "*", "deny", deny},
		{carved, "a.b", POLICY_TLS, "post", "/admin", "deny", deny},
		{"allow a.b\ndeny a.b path=/x", "a.b", POLICY_TLS, "GET", "/x/", "deny", "deny a.b path=/x"},
		{"allow a.b\ndeny a.b path=/x/", "a.b", POLICY_TLS, "GET", "/x", "deny", "deny a.b path=/x/"},
		{"allow a.b\ndeny a.b path=/x/*", "a.b", POLICY_TLS, "GET", "/x/y/", "deny", "deny a.b path=/x/*"},
		{"allow a.b\ndeny a.b path=/x/*", "a.b", POLICY_TLS, "GET", "/x/y/z", "allow", "allow a.b"},
		{"allow a.b path=/x", "a.b", POLICY_TLS, "GET", "/x/", "deny", NULL},
		{"allow-all\ndeny a.b method=POST", "a.b:22", POLICY_TCP, NULL, NULL, "deny",
		 "deny a.b method=POST"},
		/* a rule for all of it decides without looking in */
		{"allow a.b path=/x\nallow a.b", "a.b", POLICY_TLS, NULL, NULL, "allow", "allow a.b"},
		{"allow a.b path=/x\ndeny a.b", "a.b", POLICY_TLS, NULL, NULL, "deny", "deny a.b"},
	};

	(void)state;
	judge_all(cases, sizeof(cases) / sizeof(cases[0]));
}

static void test_inspect(void **state)
{
	static const char text[] = "allow-all\ninspect a.b\n";
	static const struct verdict_case cases[] = {
		{text, "a.b", POLICY_TLS, NULL, NULL, "allow inside", "allow-all"},
		{text, "a.b", POLICY_TLS, "GET", "/", "allow", "allow-all"},
		{text, "a.b", POLICY_TCP, NULL, NULL, "deny", "inspect a.b"},
		{text, "a.b:22", POLICY_TCP, NULL, NULL, "allow", "allow-all"},
		{"inspect a.b", "a.b", POLICY_TLS, NULL, NULL, "deny", NULL},
	};

	(void)state;
	judge_all(cases, sizeof(cases) / sizeof(cases[0]));
}

static void test_where_names_lead(void **state)
{
	static const struct {
		const char *policy, *name, *address;
		bool is_ok;
	} cases[] = {
		{"allow a.b", "a.b", "8.8.8.8", true},
		{"allow a.b", "a.b", "2606:4700::1", true},
		{"allow a.b", "a.b", "127.0.0.1", false},
		{"allow a.b", "a.b", "::1", false},
		{"allow a.b", "a.b", "0.0.0.0", false},
		{"allow a.b", "a.b", "10.0.0.1", false},
		{"allow a.b", "a.b", "::ffff:10.0.0.1", false},
		{"allow a.b", "a.b", "64:ff9b::10.0.0.1", false},
		{"allow a.b", "a.b", "64:ff9b::8.8.8.8", true},
		{"allow a.b", "a.b", "2002:a00:1::1", false},
		{"allow a.b", "a.b", "169.254.169.254", false},
		{"allow a.b", "a.b", "198.18.0.1", false},
		{"allow-all", "a.b", "192.168.1.1", false},
		{"allow **", "a.b", "192.168.1.1", false},
		{"allow a.b private", "a.b", "192.168.1.1", true},
		{"allow a.b private", "a.b", "fd12::1", true},
		{"allow a.b private", "a.b", "fd00:ec2::254", false},
		{"allow a.b private", "a.b", "127.0.0.1", false},
		{"allow a.b private", "a.b", "169.254.1.1", false},
		{"allow a.b private", "c.d", "192.168.1.1", false},
		{"allow a.b:8080 private", "a.b", "192.168.1.1", false},
		{"allow **.b private", "a.b", "100.64.1.1", true},
		{"allow a.b\nallow 192.168.1.0/24", "a.b", "192.168.1.1", true},
		{"allow a.b\nallow 192.168.1.0/24", "a.b", "192.168.2.1", false},
		{"allow a.b\nallow 192.168.1.0/24:22", "a.b", "192.168.1.1", false},
		{"allow a.b\nallow 192.168.1.0/24 method=GET", "a.b", "192.168.1.1", false},
		{"allow a.b\nallow 0.0.0.0/0", "a.b", "192.168.1.1", false},
		{"allow a.b\nallow ::/0", "a.b", "192.168.1.1", false},
		{"allow 192.168.1.0/24 method=GET", "192.168.1.1", "192.168.1.1", true},
		{"allow a.b\ndeny 8.8.0.0/16", "a.b", "8.8.8.8", false},
		{"allow a.b\ndeny 8.8.0.0/16", "a.b", "64:ff9b::8.8.8.8", false},
		{"allow a.b\ndeny 8.8.0.0/16:22", "a.b", "8.8.8.8", true},
		{"allow localhost", "localhost", "127.0.0.1", true},
		{"allow localhost", "localhost", "::1", true},
		{"allow localhost", "localhost", "10.0.0.1", false},
		{"allow localhost:8080", "localhost", "127.0.0.1", false},
		{"allow localhost", "a.b", "127.0.0.1", false},
		{"allow-all", "localhost", "127.0.0.1", false},
		{"allow *.localhost", "x.localhost", "127.0.0.1", true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		auto_policy struct policy policy;
		struct host name, address;

		parse(cases[i].policy, &policy);
		assert_int_equal(host_parse(slice_text(cases[i].name), &name), 0);
		assert_int_equal(host_parse(slice_text(cases[i].address), &address), 0);
		if (policy_address_ok(&policy, &name, 443, &address.address) != cases[i].is_ok)
			fail_msg("[%s] %s at %s", cases[i].policy, cases[i].name, cases[i].address);
	}
}

static void test_canonical_rules(void **state)
{
	static const struct {
		const char *line, *text, *target;
	} cases[] = {
		{"  allow \t Example.COM.  # why", "allow example.com", "example.com"},
		{"allow *.Example.org:443\r", "allow *.example.org:443", "*.example.org:443"},
		{"allow **.x.dev:8000-8000", "allow **.x.dev:8000", "**.x.dev:8000"},
		{"allow 10.0.0.0/8:22 tcp", "allow 10.0.0.0/8:22 tcp", "10.0.0.0/8:22"},
		{"deny ::ffff:10.0.0.0/104", "deny 10.0.0.0/8", "10.0.0.0/8"},
		{"deny 0x7f.1/32", "deny 127.0.0.1", "127.0.0.1"},
		{"deny [FD00::0]:22", "deny [fd00::]:22", "[fd00::]:22"},
		{"deny fd00::/8", "deny fd00::/8", "fd00::/8"},
		{"deny ::/0", "deny ::/0", "::/0"},
		{"deny 0.0.0.0/0", "deny 0.0.0.0/0", "0.0.0.0/0"},
		{"allow a:1 private tcp", "allow a:1 tcp private", "a:1"},
		{"allow a path=/%61/** method=GET", "allow a method=GET path=/a/**", "a"},
		{"allow-all", "allow-all", "**:*"},
		{"allow **:* tcp", "allow-all", "**:*"},
		{"inspect a", "inspect a", "a"},
		{"# nothing", NULL, NULL},
		{" \t\r", NULL, NULL},
		{"", NULL, NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct policy_rule rule = {.text = NULL};
		struct err err = {.text = ""};
		int r = rule_parse(slice_text(cases[i].line), &rule, &err);

		if (r < 0)
			fail_msg("%s: %s", cases[i].line, err.text);
		assert_int_equal(r, cases[i].text ? 0 : 1);
		if (r == 0) {
			assert_string_equal(rule.text, cases[i].text);
			assert_true(slice_is(rule_target(&rule), cases[i].target));
		}
		rule_done(&rule);
	}
}

static void test_bad_rules(void **state)
{
	static const struct {
		const char *line, *part;
	} cases[] = {
		{"permit a", "begins with allow, deny or inspect"},
		{"Allow a", "begins with allow, deny or inspect"},
		{"allow", "needs a host"},
		{"allow # a", "needs a host"},
		{"allow a b", "cannot make sense of 'b'"},
		{"allow-all a", "'allow-all'"},
		{"allow a:0", "'0' is not a port"},
		{"allow a:", "'' is not a port"},
		{"allow a:99999", "is not a port"},
		{"allow a:9-8", "is not a port"},
		{"allow a:8-", "is not a port"},
		{"allow *", "stars stand for whole labels"},
		{"allow *a.b", "stars stand for whole labels"},
		{"allow ***.b", "stars stand for whole labels"},
		{"allow a.*.b", "not the name of a host"},
		{"allow a*.b", "not the name of a host"},
		{"allow *.10.0.0.1", "not the name of a host"},
		{"allow *.", "not the name of a host"},
		{"allow a/8", "not the name of a host"},
		{"allow b\xc3\xbc"
		 "cher.de",
		 "xn--"},
		{"allow https://a.b/", "is not a port"},
		{"allow 10.0.0.1/8", "bits behind its prefix"},
		{"allow 10.0.0.0/33", "not a network"},
		{"allow 10.0.0.0/", "not a network"},
		{"allow ::ffff:0.0.0.0/64", "bits behind its prefix"},
		{"allow fd00::/129", "not a network"},
		{"allow [fd00::1", "not HOST or HOST:PORT"},
		{"allow [10.0.0.1]:22", "not HOST or HOST:PORT"},
		{"allow [fd00::1]22", "not HOST or HOST:PORT"},
		{"allow host.docker.internal:80", "'localhost' in rules"},
		{"allow a method=", "'method=' is not a list"},
		{"allow a method=get", "'method=get' is not a list"},
		{"allow a method=GET,", "is not a list"},
		{"allow a method=GET method=PUT", "two method="},
		{"allow a path=x", "is not a path"},
		{"allow a path=/a/../b", "is not a path"},
		{"allow a path=/a*", "is not a path"},
		{"allow a path=/***", "is not a path"},
		{"allow a path=/%2a", "is not a path"},
		{"allow a path=/x?y", "is not a path"},
		{"allow a path=/x path=/y", "two path="},
		{"allow a tcp", "'tcp' needs a port"},
		{"allow a:1 tcp method=GET", "not with 'tcp'"},
		{"deny a:1 tcp", "'deny' goes without"},
		{"deny a private", "'deny' goes without"},
		{"inspect a method=GET", "'inspect' goes without"},
		{"allow 10.0.0.0/8 private", "an address is private or is not"},
		{"allow ** private", "an address is private or is not"},
		{"allow a tcp tcp tcp tcp tcp tcp tcp", "more than 8 words"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct policy_rule rule = {.text = NULL};
		struct err err = {.text = ""};

		assert_int_equal(rule_parse(slice_text(cases[i].line), &rule, &err), -EINVAL);
		if (!strstr(err.text, cases[i].part))
			fail_msg("%s: %s", cases[i].line, err.text);
		assert_null(rule.text);
	}
	assert_int_equal(rule_parse(slice_of("allow a\0b", 9), &(struct policy_rule){.text = NULL}, NULL),
			 -EINVAL);
}

static void test_layers_and_errors(void **state)
{
	auto_policy struct policy policy = {0};
	struct policy_error error;
	struct host host;
	struct policy_request request = {.host = &host, .port = 443, .protocol = POLICY_TLS};
	struct judgement judgement;

	(void)state;
	assert_int_equal(host_parse(slice_text("a.b"), &host), 0);
	assert_int_equal(policy_parse(slice_text("# one\n\nallow a.b"), "global", &policy, &error), 0);
	/* A layer with a bad line changes nothing. */
	assert_int_equal(policy_parse(slice_text("deny a.b\nallow\n"), "sandbox", &policy, &error), -EINVAL);
	assert_int_equal(error.line, 2);
	assert_non_null(strstr(error.text, "needs a host"));
	policy_judge(&policy, &request, &judgement);
	assert_int_equal(judgement.verdict, VERDICT_ALLOW);
	assert_int_equal(judgement.line, 3);
	assert_string_equal(judgement.source, "global");
	assert_int_equal(policy_parse(slice_text("deny a.b\n"), "sandbox", &policy, &error), 0);
	policy_judge(&policy, &request, &judgement);
	assert_int_equal(judgement.verdict, VERDICT_DENY);
	assert_string_equal(judgement.source, "sandbox");
}

static void test_limits(void **state)
{
	auto_policy struct policy policy = {0};
	auto_buf struct buf text = {0};
	struct policy_error error;

	(void)state;
	for (int i = 0; i < POLICY_RULES_MAX; i++)
		assert_int_equal(buf_printf(&text, "allow h%d.x\n", i), 0);
	assert_int_equal(policy_parse(buf_slice(&text), "t", &policy, &error), 0);
	assert_int_equal(policy.n_rules, POLICY_RULES_MAX);
	assert_int_equal(policy_parse(slice_text("allow a"), "t", &policy, &error), -EINVAL);
	assert_non_null(strstr(error.text, "more than 4096 rules"));
	buf_clear(&text);
	assert_int_equal(buf_printf(&text, "\n#%*s\n", POLICY_LINE_MAX_BYTES, ""), 0);
	assert_int_equal(policy_parse(buf_slice(&text), "t", &policy, &error), -EINVAL);
	assert_int_equal(error.line, 2);
	assert_non_null(strstr(error.text, "longer than 1024 bytes"));
	buf_clear(&text);
	assert_non_null(buf_space(&text, POLICY_TEXT_MAX_BYTES + 1));
	memset(text.data, '\n', POLICY_TEXT_MAX_BYTES + 1);
	buf_grow(&text, POLICY_TEXT_MAX_BYTES + 1);
	assert_int_equal(policy_parse(buf_slice(&text), "t", &policy, &error), -EINVAL);
	assert_int_equal(error.line, 0);
}

static void test_path_patterns(void **state)
{
	static const struct {
		const char *pattern, *path;
		bool fits;
	} cases[] = {
		{"/", "/", true},
		{"/", "/a", false},
		{"/a", "/a", true},
		{"/a", "/a/", false},
		{"/a/", "/a/", true},
		{"/*", "/a", true},
		{"/*", "/", false},
		{"/*", "/a/b", false},
		{"/a/*/c", "/a/b/c", true},
		{"/a/*/c", "/a/c", false},
		{"/**", "/", true},
		{"/**", "/a/b/c", true},
		{"/a/**", "/a", true},
		{"/a/**", "/a/", true},
		{"/a/**", "/a/b/c/", true},
		{"/a/**", "/ab", false},
		{"/a/**/z", "/a/z", true},
		{"/a/**/z", "/a/b/z/z", true},
		{"/a/**/z", "/a/b", false},
		{"/**/b/**", "/a/b/c", true},
		{"/**/b/*/c", "/b/b/x/c", true},
		{"/**/b/**", "/a/c", false},
		{"/**/*", "/", false},
		{"/**/*", "/a/b", true},
		{"/@a", "/%40a", true},
		{"/a%20b", "/a%20b", true},
		{"/a", "/A", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char pattern[PATH_TEXT_BYTES], path[PATH_TEXT_BYTES];

		assert_int_equal(path_pattern(slice_text(cases[i].pattern), pattern), 0);
		assert_int_equal(path_canonical(slice_text(cases[i].path), path), 0);
		if (path_matches(pattern, path, false) != cases[i].fits)
			fail_msg("%s and %s", cases[i].pattern, cases[i].path);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_ports_and_protocols),
		cmocka_unit_test(test_deny_beats_allow),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_methods_and_paths),
		cmocka_unit_test(test_inspect),
		cmocka_unit_test(test_where_names_lead),
		cmocka_unit_test(test_canonical_rules),
		cmocka_unit_test(test_bad_rules),
		cmocka_unit_test(test_layers_and_errors),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_path_patterns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
