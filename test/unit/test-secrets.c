/* What the vault knows of credentials: updates whole or not at all, whose word counts, what is revealed to
 * whom. */
#include "vault/feed.h"
#include "vault/secrets.h"

#include "unit.h"

#include <errno.h>
#include <unistd.h>

#define OPENAI                                                                  \
	"service openai\nenv OPENAI_API_KEY\nheader Authorization: Bearer %s\n" \
	"host api.openai.com\nplaceholder sk-0123456789abcdef\n"
#define ACME "service acme\nheader X-Key: %s\nhost api.acme.example\nplaceholder acme-0123456789abcdef\n"

static int setup(void **state)
{
	*state = secrets_new();
	return *state ? 0 : -1;
}

static int teardown(void **state)
{
	secrets_free(*state);
	return 0;
}

static void update(struct secrets *secrets, unsigned feed, const char *text, int wanted)
{
	struct err err;

	assert_int_equal(secrets_update(secrets, feed, slice_text(text), &err), wanted);
}

static void revealed(const struct secrets *secrets, const char *service, const char *host, int wanted,
		     const char *value)
{
	auto_buf struct buf text = {0};

	assert_int_equal(secrets_reveal(secrets, slice_text(service), slice_text(host), 443, &text), wanted);
	assert_string_equal(buf_text(&text), value);
}

static void test_reveal(void **state)
{
	struct secrets *secrets = *state;
	auto_buf struct buf text = {0};

	update(secrets, 1, OPENAI "value real\n" ACME "value own\n", 0);
	revealed(secrets, "openai", "api.openai.com", 0, "Bearer real");
	revealed(secrets, "acme", "api.acme.example", 0, "own");
	revealed(secrets, "openai", "api.acme.example", -EACCES, "");
	revealed(secrets, "none", "api.openai.com", -ENOENT, "");
	assert_int_equal(
		secrets_reveal(secrets, slice_text("openai"), slice_text("api.openai.com"), 80, &text),
		-EACCES);
	assert_int_equal(secrets_describe(secrets, &text), 0);
	assert_non_null(strstr(buf_text(&text), "sk-0123456789abcdef"));
	assert_null(strstr(buf_text(&text), "real"));
}

static void test_whole_or_not_at_all(void **state)
{
	struct secrets *secrets = *state;

	update(secrets, 1, OPENAI "value real\n", 0);
	update(secrets, 2, OPENAI "value other\nservice BAD\n", -EINVAL);
	update(secrets, 2, OPENAI "value other\nservice bare\n", -EINVAL);
	update(secrets, 2, "service openai\nvalue other\n", -EINVAL);
	revealed(secrets, "openai", "api.openai.com", 0, "Bearer real");
}

static void test_the_last_word_counts(void **state)
{
	struct secrets *secrets = *state;

	update(secrets, 1, OPENAI "value one\n" ACME "value own\n", 0);
	assert_true(secrets_hears(secrets, 1));
	update(secrets, 2, OPENAI "value two\n", 0);
	update(secrets, 1, OPENAI "value three\n", 0);
	revealed(secrets, "openai", "api.openai.com", 0, "Bearer two");
	assert_true(secrets_hears(secrets, 1) && secrets_hears(secrets, 2));
	update(secrets, 3, "service openai\nforget\n", 0);
	update(secrets, 2, OPENAI "value four\n", 0);
	revealed(secrets, "openai", "api.openai.com", -ENOENT, "");
	assert_false(secrets_hears(secrets, 2));
	update(secrets, 4, OPENAI "value five\n", 0);
	revealed(secrets, "openai", "api.openai.com", 0, "Bearer five");
}

/* A start's feed may be a minute on its way. */
static void test_forgotten_before_it_comes(void **state)
{
	struct secrets *secrets = *state;

	update(secrets, 2, "service openai\nforget\n", 0);
	update(secrets, 1, OPENAI "value late\n", 0);
	revealed(secrets, "openai", "api.openai.com", -ENOENT, "");
}

static void test_keep(void **state)
{
	struct secrets *secrets = *state;

	update(secrets, 1, OPENAI "keep\n", 0);
	revealed(secrets, "openai", "api.openai.com", -ENOENT, "");
	update(secrets, 2, OPENAI "value one\n", 0);
	update(secrets, 3, OPENAI "host other.example\nkeep\n", 0);
	revealed(secrets, "openai", "other.example", 0, "Bearer one");
}

static void test_limit(void **state)
{
	struct secrets *secrets = *state;
	auto_buf struct buf text = {0};

	for (unsigned i = 0; i <= SECRET_BINDINGS_MAX; i++)
		assert_int_equal(buf_printf(&text,
					    "service s%u\nheader X-Key: %%s\nhost a.example\n"
					    "placeholder 0123456789abcdef\nvalue x\n",
					    i),
				 0);
	update(secrets, 1, buf_text(&text), -E2BIG);
}

static void put(int pipe, const char *text)
{
	assert_int_equal(write(pipe, text, strlen(text)), (ssize_t)strlen(text));
}

static void test_feed(void **state)
{
	struct feed feed;
	struct slice text;
	int ends[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	feed_open(&feed, ends[0], 1, 7);
	put(ends[1], "service a\nforget\nen");
	assert_int_equal(feed_read(&feed, &text), 0);
	put(ends[1], "d\nend\nservice b");
	assert_int_equal(feed_read(&feed, &text), 1);
	assert_true(slice_is(text, "service a\nforget\n"));
	feed_drop(&feed, text);
	assert_true(feed_take(&feed, &text));
	assert_true(slice_is(text, ""));
	feed_drop(&feed, text);
	assert_false(feed_take(&feed, &text));
	for (size_t i = 0; i < 40000; i++) {
		put(ends[1], i % 100 == 99 ? "\n" : "x");
		assert_int_equal(i % 1000 == 0 ? feed_read(&feed, &text) : 0, 0);
	}
	put(ends[1], "\nend\n");
	while (feed_read(&feed, &text) == 0)
		;
	assert_int_equal(text.len, strlen("service b") + 40001);
	close(ends[1]);
	feed_drop(&feed, text);
	assert_int_equal(feed_read(&feed, &text), -EPIPE);
	feed_close(&feed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_reveal, setup, teardown),
		cmocka_unit_test_setup_teardown(test_whole_or_not_at_all, setup, teardown),
		cmocka_unit_test_setup_teardown(test_the_last_word_counts, setup, teardown),
		cmocka_unit_test_setup_teardown(test_forgotten_before_it_comes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_keep, setup, teardown),
		cmocka_unit_test_setup_teardown(test_limit, setup, teardown),
		cmocka_unit_test_setup_teardown(test_feed, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
