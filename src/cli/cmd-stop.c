#include "cli/command.h"
#include "cli/options.h"
#include "cli/start.h"

#include <errno.h>
#include <stddef.h>

struct stop_call {
	bool is_cold, is_forced;
};

static const struct option_row rows[] = {
	{"cold", 0, OPTION_FLAG, offsetof(struct stop_call, is_cold), NULL,
	 "shut the machine down instead of suspending it"},
	{"force", 'f', OPTION_FLAG, offsetof(struct stop_call, is_forced), NULL,
	 "end it at once, also when it does not answer"},
	{0},
};

static const struct options options = {
	.rows = rows,
	.usage = "sbx stop [OPTIONS] SANDBOX...",
	.text = "Suspends sandboxes: what runs in them goes on where it was with the next 'sbx run' or 'sbx "
		"exec'.",
};

static int stop(const struct paths *paths, const struct stop_call *call, const char *name, struct err *err)
{
	autofd int dir = sandbox_open_dir(paths, SHELF_SANDBOXES, name, err);

	if (dir < 0)
		return dir;
	return call->is_forced ? start_kill(paths, name, err) : start_stop(paths, name, call->is_cold, err);
}

static int run(int argc, char **argv)
{
	struct stop_call call = {0};
	struct paths paths;
	struct words words;
	struct err err;
	int status = 0;
	enum options_result result = options_parse(&options, argc, argv, &call, &words, &err);

	if (result == OPTIONS_HELP)
		return 0;
	if (result == OPTIONS_OK && words.count < 1) {
		err_set(&err, 0, "sbx stop takes the names of sandboxes");
		result = OPTIONS_BAD;
	}
	if (result == OPTIONS_BAD)
		return command_misuse("stop", &err);
	if (paths_open(&paths, &err) < 0)
		return command_fail(&err);
	for (int i = 0; i < words.count; i++)
		if (stop(&paths, &call, words.items[i], &err) < 0)
			status = command_fail(&err);
	return status;
}

const struct command cmd_stop = {.name = "stop", .summary = "stop sandboxes", .run = run};
