#include "cli/env.h"
#include "cli/options.h"

#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct call {
	bool is_quiet, is_terminal;
	const char *name;
	struct option_list env;
};

static const struct option_row rows[] = {
	{"quiet", 'q', OPTION_FLAG, offsetof(struct call, is_quiet), NULL, ""},
	{"tty", 't', OPTION_FLAG, offsetof(struct call, is_terminal), NULL, ""},
	{"name", 'n', OPTION_TEXT, offsetof(struct call, name), "NAME", ""},
	{"env", 'e', OPTION_LIST, offsetof(struct call, env), "X", ""},
	{0},
};

/* Splits the line at blanks and parses it. */
static enum options_result parse(const char *line, bool first_word_ends, struct call *call,
				 struct words *words, struct err *err)
{
	static char room[256];
	static char *argv[32];
	const struct options options = {
		.rows = rows, .usage = "", .text = "", .first_word_ends = first_word_ends};
	int argc = 0;

	snprintf(room, sizeof(room), "%s", line);
	for (char *word = strtok(room, " "); word; word = strtok(NULL, " "))
		argv[argc++] = word;
	argv[argc] = NULL;
	*call = (struct call){0};
	return options_parse(&options, argc, argv, call, words, err);
}

static void test_everywhere(void **state)
{
	struct words words;
	struct call call;

	(void)state;
	assert_int_equal(parse("run a -qt --name=x b -e A=1 --env B -- -q c", false, &call, &words, NULL),
			 OPTIONS_OK);
	assert_true(call.is_quiet && call.is_terminal);
	assert_string_equal(call.name, "x");
	assert_int_equal(call.env.count, 2);
	assert_string_equal(call.env.items[1], "B");
	assert_int_equal(words.count, 2);
	assert_string_equal(words.items[0], "a");
	assert_string_equal(words.items[1], "b");
	assert_int_equal(words.n_rest, 2);
	assert_string_equal(words.rest[0], "-q");
	assert_string_equal(words.rest[1], "c");
}

static void test_first_word_ends(void **state)
{
	struct words words;
	struct call call;

	(void)state;
	assert_int_equal(parse("exec -t box ls -q --name x", true, &call, &words, NULL), OPTIONS_OK);
	assert_true(call.is_terminal);
	assert_false(call.is_quiet);
	assert_int_equal(words.count, 5);
	assert_string_equal(words.items[0], "box");
	assert_string_equal(words.items[2], "-q");
}

static void complains(const char *line, const char *part)
{
	struct err err = {.text = ""};
	struct words words;
	struct call call;

	assert_int_equal(parse(line, false, &call, &words, &err), OPTIONS_BAD);
	if (!strstr(err.text, part))
		fail_msg("'%s' is not in '%s'", part, err.text);
}

static void test_complaints(void **state)
{
	(void)state;
	complains("run --nmae x", "unknown option '--nmae': did you mean '--name'?");
	complains("run --frobnicate", "unknown option '--frobnicate'");
	complains("run -qZ", "unknown option '-Z'");
	complains("run --name", "'--name' needs a value");
	complains("run -e", "'-e' needs a value");
	complains("run --quiet=yes", "--quiet");
}

static void test_env(void **state)
{
	struct option_list env = {.items = {"A=1", "SBX_TEST_SET", "SBX_TEST_UNSET", "B="}, .count = 4};
	struct option_list files = {0}, wrong = {.items = {"=x"}, .count = 1};
	struct err err;
	char **list = NULL;

	(void)state;
	setenv("SBX_TEST_SET", "here", 1);
	unsetenv("SBX_TEST_UNSET");
	assert_int_equal(env_collect(NULL, &env, &files, &list, NULL), 0);
	assert_string_equal(list[0], "A=1");
	assert_string_equal(list[1], "SBX_TEST_SET=here");
	assert_string_equal(list[2], "B=");
	assert_null(list[3]);
	env_free(list);
	assert_int_equal(env_collect(NULL, &wrong, &files, &list, &err), -EINVAL);
	assert_non_null(strstr(err.text, "'=x'"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_everywhere),
		cmocka_unit_test(test_first_word_ends),
		cmocka_unit_test(test_complaints),
		cmocka_unit_test(test_env),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
