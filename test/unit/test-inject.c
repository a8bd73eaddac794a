#include "proxy/inject.h"

#include "unit.h"

#include <errno.h>

static const char bindings[] = "service openai\n"
			       "header Authorization: Bearer %s\n"
			       "host api.openai.com\n"
			       "placeholder sk-proj-0123456789abcdef\n"
			       "service google\n"
			       "header x-goog-api-key: %s\n"
			       "host *.googleapis.com\n"
			       "placeholder AIza0123456789abcdef\n"
			       "service other\n"
			       "header x-other: %s\n"
			       "host api.openai.com\n"
			       "placeholder other-0123456789abcdef\n";

#define OURS "sk-proj-0123456789abcdef"

struct row {
	const char *host, *head;
	const char *service; /* NULL: none; "leak": refused */
	const char *kept;    /* the names of the fields that stay */
	const char *target;  /* NULL: as it was */
	bool has_removed;
};

static const struct row rows[] = {
	{"a.test", "GET / HTTP/1.1\r\nAuthorization: x\r\n", NULL, "Authorization ", NULL, false},
	{"api.openai.com", "GET / HTTP/1.1\r\nA: b\r\n", "openai", "A ", NULL, false},
	{"api.openai.com", "GET / HTTP/1.1\r\nAuthorization: Bearer " OURS "\r\n", "openai", "", NULL, false},
	{"api.openai.com", "GET / HTTP/1.1\r\nauthorization: Bearer sk-theirs\r\n", "openai", "", NULL, true},
	{"api.openai.com", "GET / HTTP/1.1\r\nX-API-Key: theirs\r\nB: c\r\n", "openai", "B ", NULL, true},
	{"api.openai.com", "GET / HTTP/1.1\r\nX_Api_Key: theirs\r\nx_other: theirs\r\n", "openai", "", NULL,
	 true},
	{"api.openai.com", "GET / HTTP/1.1\r\nX-Other: other-0123456789abcdef\r\n", "other", "", NULL, false},
	{"api.openai.com", "GET / HTTP/1.1\r\nX-Other: theirs\r\n", "openai", "", NULL, true},
	{"api.openai.com", "GET /?key=1&API_KEY=2 HTTP/1.1\r\n", "openai", "", "/?key=1", true},
	{"x.googleapis.com", "GET /?key=1 HTTP/1.1\r\n", "google", "", "/", true},
	{"x.googleapis.com", "GET /?a&%6bey=AIza0123456789abcdef&b HTTP/1.1\r\n", "google", "", "/?a&b",
	 false},
	{"x.googleapis.com", "GET / HTTP/1.1\r\nA: " OURS "\r\n", "leak", "", NULL, false},
	{"a.test", "GET /" OURS " HTTP/1.1\r\n", "leak", "", NULL, false},
	{"a.test", "GET /?%73k-proj-0123456789abcdef HTTP/1.1\r\n", "leak", "", NULL, false},
	{"a.test", "GET / HTTP/1.1\r\nAuthorization: basic eDpzay1wcm9qLTAxMjM0NTY3ODlhYmNkZWY=\r\n", "leak",
	 "", NULL, false},
	{"a.test", "GET / HTTP/1.1\r\nA: sk-proj-0123456789abcde\r\n", NULL, "A ", NULL, false},
};

static void check(const struct inject *inject, const struct row *row)
{
	auto_buf struct buf text = {0}, into = {0}, kept = {0};
	struct injection injection;
	struct http1_head head;
	struct slice target;
	struct host host;
	size_t used;
	bool leaks;

	assert_int_equal(host_parse(slice_text(row->host), &host), 0);
	buf_printf(&text, "%s\r\n", row->head);
	assert_int_equal(http1_parse_request(buf_slice(&text), &head, &used), PARSED_OK);
	leaks = inject_leaks(inject, &host, 443, &head);
	if (leaks != (row->service && strcmp(row->service, "leak") == 0))
		fail_msg("%s: leaks: %d", row->head, leaks);
	if (leaks)
		return;
	target = head.target;
	assert_int_equal(inject_request(inject, &host, 443, &head, &into, &target, &injection), 0);
	for (size_t i = 0; i < head.n_fields; i++)
		buf_printf(&kept, "%.*s ", (int)head.fields[i].name.len, head.fields[i].name.ptr);
	assert_string_equal(injection.service, row->service ? row->service : "");
	assert_string_equal(buf_text(&kept), row->kept);
	if (!slice_is(target, row->target ? row->target : "/") && row->target)
		fail_msg("%s: %.*s", row->head, (int)target.len, target.ptr);
	assert_int_equal(injection.has_removed, row->has_removed);
}

static void test_requests(void **state)
{
	struct inject inject = {0};

	(void)state;
	assert_int_equal(inject_set(&inject, slice_text(bindings)), 0);
	for (size_t i = 0; i < array_len(rows); i++)
		check(&inject, &rows[i]);
	inject_done(&inject);
}

static void test_bound(void **state)
{
	struct inject inject = {0};
	struct host host;

	(void)state;
	assert_int_equal(inject_set(&inject, slice_text(bindings)), 0);
	assert_int_equal(host_parse(slice_text("API.openai.com."), &host), 0);
	assert_true(inject_is_bound(&inject, &host, 443));
	assert_false(inject_is_bound(&inject, &host, 80));
	assert_true(inject_has(&inject, "openai", &host, 443));
	assert_false(inject_has(&inject, "google", &host, 443));
	/* What makes no sense changes nothing. */
	assert_int_equal(inject_set(&inject, slice_text("nonsense\n")), -EINVAL);
	assert_true(inject_is_bound(&inject, &host, 443));
	assert_int_equal(inject_set(&inject, slice_text("")), 0);
	assert_false(inject_is_bound(&inject, &host, 443));
	inject_done(&inject);
}

static void test_many(void **state)
{
	struct inject inject = {0};
	auto_buf struct buf text = {0};

	(void)state;
	for (int i = 0; i <= SECRET_BINDINGS_MAX; i++) {
		assert_int_equal(inject_set(&inject, buf_slice(&text)), 0);
		assert_int_equal(inject.count, i);
		buf_printf(&text, "service s%d\nheader X: %%s\nhost a.test\nplaceholder 0123456789-%04d\n", i,
			   i);
	}
	assert_int_equal(inject_set(&inject, buf_slice(&text)), -E2BIG);
	assert_int_equal(inject.count, SECRET_BINDINGS_MAX);
	inject_done(&inject);
}

/* However it is cut into pieces. */
static void test_bodies(void **state)
{
	static const char body[] = "before " OURS " behind";
	struct inject inject = {0};
	struct host host;

	(void)state;
	assert_int_equal(inject_set(&inject, slice_text(bindings)), 0);
	assert_int_equal(host_parse(slice_text("a.test"), &host), 0);
	for (size_t step = 1; step < sizeof(body); step++) {
		struct inject_scan scan = {.len = 0};
		bool is_found = false;

		for (size_t at = 0; at < sizeof(body) - 1 && !is_found; at += step) {
			size_t len = sizeof(body) - 1 - at < step ? sizeof(body) - 1 - at : step;

			is_found = inject_scan(&inject, &host, 443, &scan, slice_of(body + at, len));
		}
		if (!is_found)
			fail_msg("not found in pieces of %zu", step);
	}
	inject_done(&inject);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_requests),
		cmocka_unit_test(test_bound),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_bodies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
