#include "cli/command.h"
#include "cli/copy.h"
#include "cli/options.h"
#include "cli/start.h"

#include <stdio.h>

static const struct option_row rows[] = {{0}};

static const struct options options = {
	.rows = rows,
	.usage = "sbx fork SANDBOX NEW",
	.text = "Makes a second sandbox that continues where the first one is, processes and disk included. "
		"The\n"
		"first one goes on undisturbed. One that is stopped gives one that is stopped.",
};

static int fork_sandbox(const struct paths *paths, const char *from, const char *name, struct err *err)
{
	auto_sandbox struct sandbox sandbox = {0};
	bool is_running;
	int r = copy_make(paths, SHELF_SANDBOXES, from, SHELF_SANDBOXES, name, &sandbox, &is_running, err);

	if (r < 0 || !is_running)
		return r;
	return start_sandbox(paths, &sandbox, err);
}

static int run(int argc, char **argv)
{
	struct paths paths;
	struct words words;
	struct err err;
	enum options_result result = options_parse(&options, argc, argv, NULL, &words, &err);

	if (result == OPTIONS_HELP)
		return 0;
	if (result == OPTIONS_OK && words.count != 2) {
		err_set(&err, 0, "sbx fork takes a sandbox and the name of the new one");
		result = OPTIONS_BAD;
	}
	if (result == OPTIONS_BAD)
		return command_misuse("fork", &err);
	if (paths_open(&paths, &err) < 0 || fork_sandbox(&paths, words.items[0], words.items[1], &err) < 0)
		return command_fail(&err);
	printf("%s\n", words.items[1]);
	return 0;
}

const struct command cmd_fork = {
	.name = "fork", .summary = "make a second one that continues where it is", .run = run};
