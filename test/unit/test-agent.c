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
	assert_string_equal(agent.flags.items[0], "--one");
	assert_string_equal(agent.flags.items[1], "--two");
	assert_null(agent.flags.items[2]);
	assert_false(agent.words_are_commands);
}

static void test_what_is_installed(void **state)
{
	static const char text[] = "command codex\nhosts api.example.com **.example.org\ncredentials openai\n"
				   "npm @acme/agent helper\ninstall-hosts packages.example.com\n"
				   "file .codex/config.toml\n| one = 1\n|\n|  two\n# a comment\n|three\n"
				   "file .other\n| four";
	struct agent agent;

	(void)state;
	assert_int_equal(agent_parse(slice_text(text), &agent, NULL), 0);
	assert_int_equal(agent.hosts.count, 2);
	assert_string_equal(agent.hosts.items[1], "**.example.org");
	assert_null(agent.hosts.items[2]);
	assert_string_equal(agent.credentials.items[0], "openai");
	assert_string_equal(agent.npm.items[1], "helper");
	assert_string_equal(agent.install_hosts.items[0], "packages.example.com");
	assert_int_equal(agent.n_files, 2);
	assert_string_equal(agent.files[0].path, ".codex/config.toml");
	assert_string_equal(agent.files[0].content, "one = 1\n\n two\nthree\n");
	assert_string_equal(agent.files[1].path, ".other");
	assert_string_equal(agent.files[1].content, "four\n");
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
	bad("command a\n| text\n", -EINVAL, "line 2: there is no 'file' before it");
	bad("command a\nfile /etc/passwd\n", -EINVAL, "line 2: '/etc/passwd' is not a path");
	bad("command a\nfile .a/../../b\n", -EINVAL, "line 2");
	bad("command a\nfile\n", -EINVAL, "line 2");
	bad("command a\nfile .config\n| x\n", -EINVAL, "nothing to install");
	bad("command a\nnpm --registry=x\n", -EINVAL, "line 2: '--registry=x' is not a package");
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
	static const char behind[] = "command codex\nflags --yes\nsubcommands review exec\n";
	char *flags[] = {dash, text}, *words[] = {word, text}, *others[] = {text, word};

	(void)state;
	command_is(shell, NULL, 0, "bash|-l|");
	command_is(shell, flags, 2, "bash|-l|-c|say hello|");
	command_is(shell, words, 2, "exec|say hello|");
	command_is(codex, NULL, 0, "codex|--yes|");
	command_is(codex, flags, 2, "codex|--yes|-c|say hello|");
	command_is(codex, words, 2, "codex|exec|say hello|");
	command_is(behind, words, 2, "codex|exec|--yes|say hello|");
	command_is(behind, others, 2, "codex|say hello|exec|");
	command_is(behind, flags, 2, "codex|--yes|-c|say hello|");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_what_is_installed),
		cmocka_unit_test(test_what_makes_no_sense_is_named),
		cmocka_unit_test(test_command),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
