#include "cli/command.h"
#include "cli/create.h"
#include "cli/policy.h"
#include "cli/start.h"

#include <errno.h>
#include <stdio.h>

struct create_call {
	struct create_options create;
	bool is_quiet;
};

static const struct option_row rows[] = {
	CREATE_OPTION_ROWS(struct create_call),
	{"quiet", 'q', OPTION_FLAG, offsetof(struct create_call, is_quiet), NULL, "print the name only"},
	{0},
};

static const struct options options = {
	.rows = rows,
	.usage = "sbx create [OPTIONS] AGENT [PATH[:ro]...]",
	.text = "Makes a sandbox for the folders, or the current one, and starts it, without a session.",
};

/* One of the same agent and folder would be what `sbx run` comes back to, or not. */
static int refuse_second(const struct paths *paths, const char *agent, const char *workspace, struct err *err)
{
	auto_sandbox struct sandbox other = {0};
	int r = create_find(paths, agent, workspace, &other, err);

	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return r;
	return err_set(
		err, -EEXIST,
		"there is a sandbox '%s' of this agent for this folder: 'sbx run --name %s' runs it, another "
		"--name makes another",
		other.name, other.name);
}

static int create(const struct create_call *call, const struct words *words, struct err *err)
{
	const char *agent_name = words->items[0];
	auto_sandbox struct sandbox sandbox = {0};
	auto_wish struct wish wish = {0};
	struct paths paths;
	struct agent agent;
	int r = paths_open(&paths, err);

	r = r < 0 ? r : agent_load(agent_name, &agent, err);
	r = r < 0 ? r : create_wish(&paths, &call->create, words->items + 1, words->count - 1, &wish, err);
	if (r == 0 && !call->create.name)
		r = refuse_second(&paths, agent_name, wish.workspace, err);
	r = r < 0 ? r : policy_choose(&paths, err);
	r = r < 0 ? r : create_sandbox(&paths, agent_name, &call->create, &wish, &sandbox, err);
	if (r < 0)
		return r;
	r = start_sandbox(&paths, &sandbox, err);
	if (r < 0) {
		/* What nobody could use is not left behind. */
		(void)sandbox_remove(&paths, SHELF_SANDBOXES, sandbox.name, NULL);
		return r;
	}
	if (call->is_quiet)
		printf("%s\n", sandbox.name);
	else
		printf("Sandbox '%s' is running. 'sbx run --name %s' starts the agent in it.\n", sandbox.name,
		       sandbox.name);
	return 0;
}

static int run(int argc, char **argv)
{
	static struct create_call call; /* lists are too long for a stack */
	struct words words;
	struct err err;
	enum options_result result = options_parse(&options, argc, argv, &call, &words, &err);

	if (result == OPTIONS_HELP)
		return 0;
	if (result == OPTIONS_OK && words.count < 1) {
		err_set(&err, 0, "sbx create takes an agent, such as 'shell', and the folders to share");
		result = OPTIONS_BAD;
	}
	if (result == OPTIONS_BAD || create_check(&call.create, words.count - 1, &err) < 0)
		return command_misuse("create", &err);
	return create(&call, &words, &err) < 0 ? command_fail(&err) : 0;
}

const struct command cmd_create = {.name = "create", .summary = "make a sandbox and start it", .run = run};
