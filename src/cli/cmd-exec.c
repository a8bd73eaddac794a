#include "cli/command.h"
#include "cli/env.h"
#include "cli/exec.h"
#include "cli/shares.h"
#include "cli/start.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

struct exec_call {
	bool is_interactive, has_terminal;
	const char *user, *dir;
	struct option_list env, env_files;
};

static const struct option_row rows[] = {
	{"interactive", 'i', OPTION_FLAG, offsetof(struct exec_call, is_interactive), NULL,
	 "pass standard input on"},
	{"tty", 't', OPTION_FLAG, offsetof(struct exec_call, has_terminal), NULL,
	 "give the command a terminal"},
	{"env", 'e', OPTION_LIST, offsetof(struct exec_call, env), "NAME[=VALUE]", "set a variable"},
	{"env-file", 0, OPTION_LIST, offsetof(struct exec_call, env_files), "FILE",
	 "set variables from a file"},
	{"user", 'u', OPTION_TEXT, offsetof(struct exec_call, user), "USER[:GROUP]",
	 "run as (default agent)"},
	{"workdir", 'w', OPTION_TEXT, offsetof(struct exec_call, dir), "FOLDER", "where to run"},
	{0},
};

static const struct options options = {
	.rows = rows,
	.usage = "sbx exec [OPTIONS] SANDBOX COMMAND [ARGUMENTS]",
	.text = "Runs a command in a sandbox, which is started if it is stopped. The exit status is the "
		"command's;\n"
		"126 and 127 say that it could not be run, 125 that the connection was lost.",
	.first_word_ends = true,
};

static int check(const struct exec_call *call, const struct words *words, struct err *err)
{
	if (words->count < 2)
		return err_set(err, -EINVAL, "sbx exec takes a sandbox and a command");
	if (call->has_terminal && !isatty(STDIN_FILENO))
		return err_set(err, -EINVAL, "-t needs a terminal, and standard input is not one");
	if (call->dir && call->dir[0] != '/')
		return err_set(err, -EINVAL, "--workdir takes an absolute path, not '%s'", call->dir);
	return 0;
}

static int exec(const struct exec_call *call, const struct words *words, int *ret_status, struct err *err)
{
	bool has_dashes = strcmp(words->items[1], "--") == 0;
	auto_sandbox struct sandbox sandbox = {0};
	char **env = NULL;
	struct paths paths;
	struct exec exec = {.sandbox = words->items[0],
			    .argv = (const char *const *)words->items + (has_dashes ? 2 : 1),
			    .user = call->user,
			    .wants_input = call->is_interactive,
			    .wants_terminal = call->has_terminal};
	int r = paths_open(&paths, err);

	r = r < 0 ? r : sandbox_load(&paths, SHELF_SANDBOXES, words->items[0], &sandbox, err);
	r = r < 0 ? r : env_collect(&paths, &call->env, &call->env_files, &env, err);
	r = r < 0 ? r : start_sandbox(&paths, &sandbox, err);
	if (r == 0) {
		exec.env = sandbox.env;
		exec.dir = call->dir ? call->dir : shares_working_folder(&sandbox);
		exec.more_env = env;
		r = exec_run(&paths, &exec, ret_status, err);
	}
	env_free(env);
	return r;
}

static int run(int argc, char **argv)
{
	struct exec_call call = {0};
	struct words words;
	struct err err = {.text = ""};
	int status = 0;
	enum options_result result = options_parse(&options, argc, argv, &call, &words, &err);

	if (result == OPTIONS_HELP)
		return 0;
	if (result == OPTIONS_BAD || check(&call, &words, &err) < 0)
		return command_misuse("exec", &err);
	if (strcmp(words.items[1], "--") == 0 && words.count < 3) {
		err_set(&err, 0, "there is no command after '--'");
		return command_misuse("exec", &err);
	}
	if (exec(&call, &words, &status, &err) < 0) {
		command_fail(&err);
		return status > 0 ? status : EXIT_FAILED;
	}
	return status == EXEC_DETACHED ? 0 : status;
}

const struct command cmd_exec = {.name = "exec", .summary = "run a command in a sandbox", .run = run};
