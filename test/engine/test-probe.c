/* What the engine finds out about this host, and that it finds it out once. */
#include "base/clock.h"
#include "base/file.h"
#include "engine/engine.h"

#include "../unit/unit.h"
#include "place.h"

#include <fcntl.h>
#include <stdio.h>
#include <time.h>

enum { PROBE_LIMIT_MS = 5000 };

static int64_t now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static int set_up(void **state)
{
	static struct paths paths;

	strcpy(paths.cache, "/tmp/sbx-test-probe-XXXXXX");
	*state = &paths;
	return mkdtemp(paths.cache) ? 0 : -1;
}

static int tear_down(void **state)
{
	const struct paths *paths = *state;

	return file_remove_tree(AT_FDCWD, paths->cache, NULL);
}

static void remember_nonsense(const struct paths *paths, const char *content)
{
	autofd int cache = file_open_dir(AT_FDCWD, paths->cache);

	assert_int_equal(file_write_atomic(cache, "kvm.json", 0600, slice_text(content), NULL), 0);
}

static void test_once(void **state)
{
	const struct paths *paths = *state;
	struct engine_probe first, second;
	int64_t begin = clock_ms();

	assert_int_equal(engine_probe(paths, &first, NULL), 0);
	assert_true(clock_ms() - begin < PROBE_LIMIT_MS);
	assert_true(first.is_fresh);
	print_message("# %s\n", first.text);
	begin = now_us();
	assert_int_equal(engine_probe(paths, &second, NULL), 0);
	print_message("# remembered in %lld us\n", (long long)(now_us() - begin));
	assert_int_equal(second.is_fresh, first.verdict == ENGINE_KVM_BUSY);
	assert_int_equal(second.verdict, first.verdict);
	if (!second.is_fresh)
		assert_string_equal(second.text, first.text);
}

/* What was kept under another key, or is no answer, counts for nothing. */
static void test_nonsense(void **state)
{
	static const char *const contents[] = {
		"",
		"{",
		"[]",
		"{\"key\": 1}",
		"{\"key\": \"\", \"value\": {}}",
		"{\"key\": \"x\", \"value\": {\"verdict\": 0, \"error\": 0, \"turns\": 3000.0}}",
	};
	const struct paths *paths = *state;
	struct engine_probe probe;

	for (size_t i = 0; i < array_len(contents); i++) {
		remember_nonsense(paths, contents[i]);
		assert_int_equal(engine_probe(paths, &probe, NULL), 0);
		assert_true(probe.is_fresh);
	}
}

/* A folder that cannot be written to costs time, not the answer. */
static void test_no_cache(void **state)
{
	const struct paths nowhere = {.cache = "/no/such/folder"};
	struct engine_probe probe;

	(void)state;
	assert_int_equal(engine_probe(&nowhere, &probe, NULL), 0);
	assert_true(probe.is_fresh);
}

static void test_version(void **state)
{
	const struct paths *paths = *state;
	char first[ENGINE_TEXT_BYTES], second[ENGINE_TEXT_BYTES];
	const char *program;
	int64_t begin;

	if (engine_find(&program, NULL) < 0)
		skip();
	assert_int_equal(engine_version(paths, first, NULL), 0);
	assert_non_null(strstr(first, "version"));
	begin = now_us();
	assert_int_equal(engine_version(paths, second, NULL), 0);
	print_message("# remembered in %lld us\n", (long long)(now_us() - begin));
	assert_string_equal(first, second);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_once),
		cmocka_unit_test(test_nonsense),
		cmocka_unit_test(test_no_cache),
		cmocka_unit_test(test_version),
	};

	place_engine();
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
