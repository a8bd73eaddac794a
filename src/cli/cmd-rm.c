#include "cli/command.h"
#include "cli/options.h"
#include "cli/secret.h"
#include "cli/start.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>

struct rm_call {
	bool is_all, is_forced;
};

static const struct option_row rows[] = {
	{"all", 0, OPTION_FLAG, offsetof(struct rm_call, is_all), NULL, "every sandbox"},
	{"force", 'f', OPTION_FLAG, offsetof(struct rm_call, is_forced), NULL, "do not ask"},
	{0},
};

static const struct options options = {
	.rows = rows,
	.usage = "sbx rm [OPTIONS] SANDBOX...",
	.text = "Removes sandboxes with their disks, running ones too. Project folders are not touched.",
};

static int confirm(char **names, int count, struct err *err)
{
	char answer[16] = "";

	if (!isatty(STDIN_FILENO))
		return err_set(err, -EPERM, "nothing was removed: without a terminal to ask on, say --force");
	fputs("Remove", stderr);
	for (int i = 0; i < count; i++)
		fprintf(stderr, " %s", names[i]);
	fputs(" with everything inside? [y/N] ", stderr);
	if (!fgets(answer, sizeof(answer), stdin) || (answer[0] != 'y' && answer[0] != 'Y'))
		return err_set(err, -ECANCELED, "nothing was removed");
	return 0;
}

static int remove_one(const struct paths *paths, const char *name, struct err *err)
{
	autofd int dir = sandbox_open_dir(paths, SHELF_SANDBOXES, name, err);
	int r;

	if (dir < 0)
		return dir;
	r = start_kill(paths, name, err);
	if (r < 0)
		return r;
	/* First: what is left of the secrets would be the next one's of that name. */
	secret_forget_sandbox(paths, name);
	return sandbox_remove(paths, SHELF_SANDBOXES, name, err);
}

/* Before anything is asked or removed. */
static int check_names(const struct paths *paths, char **names, int count, struct err *err)
{
	for (int i = 0; i < count; i++) {
		autofd int dir = sandbox_open_dir(paths, SHELF_SANDBOXES, names[i], err);

		if (dir < 0)
			return dir;
	}
	return 0;
}

static int remove_all(const struct paths *paths, const struct rm_call *call, char **names, int count)
{
	struct err err;
	int status = 0;

	if (count == 0)
		return 0;
	if (check_names(paths, names, count, &err) < 0 ||
	    (!call->is_forced && confirm(names, count, &err) < 0))
		return command_fail(&err);
	for (int i = 0; i < count; i++)
		if (remove_one(paths, names[i], &err) < 0)
			status = command_fail(&err);
	return status;
}

static int run(int argc, char **argv)
{
	struct rm_call call = {0};
	char **names = NULL;
	struct paths paths;
	struct words words;
	struct err err;
	int count = 0, status;
	enum options_result result = options_parse(&options, argc, argv, &call, &words, &err);

	if (result == OPTIONS_HELP)
		return 0;
	if (result == OPTIONS_OK && call.is_all == (words.count > 0)) {
		err_set(&err, 0, "sbx rm takes the names of sandboxes, or --all");
		result = OPTIONS_BAD;
	}
	if (result == OPTIONS_BAD)
		return command_misuse("rm", &err);
	if (paths_open(&paths, &err) < 0)
		return command_fail(&err);
	if (!call.is_all)
		return remove_all(&paths, &call, words.items, words.count);
	if (sandbox_names(&paths, SHELF_SANDBOXES, &names, &err) < 0)
		return command_fail(&err);
	while (names[count])
		count++;
	status = remove_all(&paths, &call, names, count);
	sandbox_names_free(names);
	return status;
}

const struct command cmd_rm = {.name = "rm", .summary = "remove sandboxes", .run = run};
