#include "base/buf.h"
#include "cli/agent.h"

#include "unit.h"

#include <errno.h>

static void test_parse(void **state)
{
	struct agent agent;

	(void)state;
	assert_int_equal(
		agent_parse(slice_text("# a comment\ncommand codex\nflags --one  --two\n"), &agent, NULL), 0);
	assert_string_equal(agent.command, "codex");
	assert_string_equal(agent.flags[0], "--one");
	assert_string_equal(agent.flags[1], "--two");
	assert_null(agent.flags[2]);
	assert_false(agent.words_are_commands);
}

static void bad(const char *text, int code, const char *part)
{
	struct agent agent;
	struct err err = {.text = ""};

	assert_int_equal(agent_parse(slice_text(text), &agent, &err), code);
	assert_non_null(strstr(err.text, part));
}

static void test_what_makes_no_sense_is_named(void **state)
{
	char long_text[AGENT_TEXT_BYTES + 1];

	(void)state;
	bad("summary x\n", -EINVAL, "no command");
	bad("command a\ncolour red\n", -EINVAL, "line 2: cannot make sense of 'colour red'");
	bad("command\n", -EINVAL, "line 1");
	bad("command a\nflags 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17\n", -E2BIG, "line 2");
	memset(long_text, '#', sizeof(long_text) - 1);
	long_text[sizeof(long_text) - 1] = '\0';
	bad(long_text, -EFBIG, "longer");
}

static void command_is(const char *text, char **args, int count, const char *expected)
{
	autofree const char **argv = NULL;
	struct agent agent;
	auto_buf struct buf line = {0};

	assert_int_equal(agent_parse(slice_text(text), &agent, NULL), 0);
	assert_int_equal(agent_command(&agent, args, count, &argv), 0);
	for (const char **at = argv; *at; at++)
		assert_int_equal(buf_printf(&line, "%s|", *at), 0);
	assert_string_equal(buf_text(&line), expected);
}

static void test_command(void **state)
{
	static const char shell[] = "command bash\nflags -l\nwords command\n";
	static const char codex[] = "command codex\nflags --yes\n";
	char dash[] = "-c", word[] = "exec", text[] = "say hello";
	char *flags[] = {dash, text}, *words[] = {word, text};

	(void)state;
	command_is(shell, NULL, 0, "bash|-l|");
	command_is(shell, flags, 2, "bash|-l|-c|say hello|");
	command_is(shell, words, 2, "exec|say hello|");
	command_is(codex, NULL, 0, "codex|--yes|");
	command_is(codex, flags, 2, "codex|--yes|-c|say hello|");
	command_is(codex, words, 2, "codex|exec|say hello|");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_what_makes_no_sense_is_named),
		cmocka_unit_test(test_command),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
