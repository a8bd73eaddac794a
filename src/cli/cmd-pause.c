/* Two commands that are each other's opposite. */
#include "cli/client.h"
#include "cli/command.h"
#include "cli/options.h"
#include "supervisor/sandbox.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { LIMIT_MS = 30000 };

static const struct option_row rows[] = {{0}};

static int ask(const struct paths *paths, const char *op, const char *name, struct err *err)
{
	autofd int dir = sandbox_open_dir(paths, SHELF_SANDBOXES, name, err);
	autofd int fd = -1;

	if (dir < 0)
		return dir;
	fd = client_connect(paths, name, err);
	return fd < 0 ? fd : client_ask(fd, op, LIMIT_MS, err);
}

static int run(const struct options *options, const char *op, int argc, char **argv)
{
	struct paths paths;
	struct words words;
	struct err err;
	int status = 0;
	enum options_result result = options_parse(options, argc, argv, NULL, &words, &err);

	if (result == OPTIONS_HELP)
		return 0;
	if (result == OPTIONS_OK && words.count < 1) {
		err_set(&err, 0, "sbx %s takes the names of sandboxes", op);
		result = OPTIONS_BAD;
	}
	if (result == OPTIONS_BAD)
		return command_misuse(op, &err);
	if (paths_open(&paths, &err) < 0)
		return command_fail(&err);
	for (int i = 0; i < words.count; i++)
		if (ask(&paths, op, words.items[i], &err) < 0)
			status = command_fail(&err);
	return status;
}

static int run_pause(int argc, char **argv)
{
	static const struct options options = {.rows = rows,
					       .usage = "sbx pause SANDBOX...",
					       .text = "Halts the processor of running sandboxes; their "
						       "memory stays. 'sbx resume' has them go on."};

	return run(&options, "pause", argc, argv);
}

static int run_resume(int argc, char **argv)
{
	static const struct options options = {
		.rows = rows, .usage = "sbx resume SANDBOX...", .text = "Has paused sandboxes go on."};

	return run(&options, "resume", argc, argv);
}

const struct command cmd_pause = {
	.name = "pause", .summary = "halt a sandbox, memory kept", .run = run_pause};
const struct command cmd_resume = {
	.name = "resume", .summary = "have a paused sandbox go on", .run = run_resume};
