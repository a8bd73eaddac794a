/* Comes back to the sandbox of this agent and folder, or makes it, and runs the agent in it. */
#include "cli/command.h"
#include "cli/copy.h"
#include "cli/create.h"
#include "cli/env.h"
#include "cli/exec.h"
#include "cli/needs.h"
#include "cli/policy.h"
#include "cli/secret.h"
#include "cli/shares.h"
#include "cli/start.h"

#include "base/log.h"

#include <errno.h>
#include <stdio.h>

enum { TRIES_MAX = 100 };

struct run_call {
	struct create_options create;
	const char *snapshot;
	bool is_detached, is_removed;
};

static const struct option_row rows[] = {
	CREATE_OPTION_ROWS(struct run_call),
	{"snapshot", 0, OPTION_TEXT, offsetof(struct run_call, snapshot), "NAME",
	 "a new sandbox that continues from a snapshot"},
	{"detach", 'd', OPTION_FLAG, offsetof(struct run_call, is_detached), NULL,
	 "start it, print its name, no session"},
	{"rm", 0, OPTION_FLAG, offsetof(struct run_call, is_removed), NULL, "remove it after the session"},
	{0},
};

static const struct options options = {
	.rows = rows,
	.usage = "sbx run [OPTIONS] [AGENT [PATH[:ro]...]] [-- AGENT-ARGUMENTS]",
	.text = "Runs an agent in a sandbox of its own, which shares the folders PATH (the current one if "
		"none\n"
		"is named) with it at the same paths and works in the first; the agent may not change those "
		"with\n"
		"':ro'. The same agent and first folder come back to the same sandbox. Ctrl-\\ twice leaves "
		"the\n"
		"agent running; run again to come back. --cpus, --memory, --disk and --allow-guarded count "
		"when\n"
		"the sandbox is made.",
};

struct run {
	const struct run_call *call;
	const struct words *words; /* AGENT PATH... */
	struct paths paths;
	struct sandbox sandbox;
	struct wish wish;
	struct agent agent;
	bool is_new;
};

/* By name, if there is one of that name; else by agent and folder. */
static int find(struct run *run, const char *agent_name, struct err *err)
{
	const char *name = run->call->create.name;
	int r;

	if (!name)
		return agent_name
			       ? create_find(&run->paths, agent_name, run->wish.workspace, &run->sandbox, err)
			       : err_set(err, -EINVAL, "name an agent, such as 'sbx run shell'");
	r = sandbox_load(&run->paths, SHELF_SANDBOXES, name, &run->sandbox, err);
	if (r == -ENOENT && !agent_name)
		return err_set(err, -EINVAL, "no sandbox '%s': 'sbx run AGENT --name %s' makes it", name,
			       name);
	if (r == 0 && agent_name && strcmp(agent_name, run->sandbox.agent) != 0)
		return err_set(err, -EEXIST, "sandbox '%s' runs the agent '%s': use another --name for '%s'",
			       name, run->sandbox.agent, agent_name);
	return r;
}

/* Its name is the snapshot's, with a number behind it where that is in use. */
static int from_snapshot(struct run *run, struct err *err)
{
	const char *snapshot = run->call->snapshot, *name = run->call->create.name;
	char numbered[SANDBOX_NAME_MAX + 1];
	int r;

	snprintf(numbered, sizeof(numbered), "%s", name ? name : snapshot);
	r = copy_make(&run->paths, SHELF_SNAPSHOTS, snapshot, SHELF_SANDBOXES, numbered, &run->sandbox, NULL,
		      err);
	for (int i = 2; r == -EEXIST && !name && i < TRIES_MAX; i++) {
		snprintf(numbered, sizeof(numbered), "%.59s-%d", snapshot, i);
		r = copy_make(&run->paths, SHELF_SNAPSHOTS, snapshot, SHELF_SANDBOXES, numbered,
			      &run->sandbox, NULL, err);
	}
	run->is_new = r == 0;
	return r < 0 ? r : agent_load(run->sandbox.agent, &run->agent, err);
}

static int find_or_make(struct run *run, const char *agent_name, struct err *err)
{
	int r = find(run, agent_name, err);

	if (r == 0)
		r = create_check_same(&run->call->create, &run->wish, &run->sandbox, err);
	if (r == 0)
		return agent_load(run->sandbox.agent, &run->agent, err);
	if (r != -ENOENT || !agent_name)
		return r;
	run->is_new = true;
	return create_sandbox(&run->paths, agent_name, &run->call->create, &run->wish, &run->sandbox, err);
}

static int prepare(struct run *run, struct err *err)
{
	const struct words *words = run->words;
	const char *agent_name = words->count > 0 ? words->items[0] : NULL;
	int n_folders = words->count > 0 ? words->count - 1 : 0;
	int r = paths_open(&run->paths, err);

	if (r == 0 && agent_name)
		r = agent_load(agent_name, &run->agent, err);
	if (r == 0 && run->call->snapshot) {
		r = policy_choose(&run->paths, err);
		return r < 0 ? r : from_snapshot(run, err);
	}
	r = r < 0 ? r
		  : create_wish(&run->paths, &run->call->create, words->items + 1, n_folders, &run->wish,
				err);
	r = r < 0 ? r : policy_choose(&run->paths, err);
	return r < 0 ? r : find_or_make(run, agent_name, err);
}

static int run_agent(struct run *run, int *ret_status, struct err *err)
{
	const struct words *words = run->words;
	bool has_terminal = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
	autofree const char **argv = NULL;
	char **env = NULL;
	struct exec exec = {
		.sandbox = run->sandbox.name,
		.env = run->sandbox.env,
		.dir = shares_working_folder(&run->sandbox),
		.wants_input = true,
		.wants_terminal = has_terminal,
		/* The agent's own screen can be left and come back to; a single command's cannot. */
		.session = has_terminal && words->n_rest == 0 ? "agent" : NULL};
	int r = agent_command(&run->agent, words->rest, words->n_rest, &argv);

	if (r < 0)
		return err_errno(err, r, "cannot make the command line");
	/* What was given when it was made is in the sandbox; what is given now counts for this session. */
	if (!run->is_new || run->call->snapshot)
		r = env_collect(&run->paths, &run->call->create.env, &run->call->create.env_files, &env, err);
	if (r == 0) {
		exec.argv = argv;
		exec.more_env = env;
		r = exec_run(&run->paths, &exec, ret_status, err);
	}
	env_free(env);
	return r;
}

static int remove_after(struct run *run, struct err *err)
{
	int r = start_kill(&run->paths, run->sandbox.name, err);

	if (r < 0)
		return r;
	secret_forget_sandbox(&run->paths, run->sandbox.name);
	return sandbox_remove(&run->paths, SHELF_SANDBOXES, run->sandbox.name, err);
}

static int go(struct run *run, int *ret_status, struct err *err)
{
	int r = start_with_environment(&run->paths, &run->sandbox, err);

	if (r < 0) {
		if (run->is_new)
			(void)sandbox_remove(&run->paths, SHELF_SANDBOXES, run->sandbox.name, NULL);
		return r;
	}
	needs_say(&run->paths, run->sandbox.name, run->sandbox.agent, &run->agent);
	if (run->call->is_detached) {
		printf("%s\n", run->sandbox.name);
		return 0;
	}
	r = run_agent(run, ret_status, err);
	if (*ret_status == EXEC_DETACHED) {
		log_line("left '%s' running: 'sbx run --name %s' comes back", run->sandbox.name,
			 run->sandbox.name);
		*ret_status = 0;
		return r;
	}
	if (run->call->is_removed) {
		struct err late;

		if (remove_after(run, &late) < 0)
			log_line("%s", late.text);
	}
	return r;
}

/* What excludes each other. */
static int check(const struct run_call *call, const struct words *words, struct err *err)
{
	const struct create_options *create = &call->create;

	if (call->snapshot && (words->count > 0 || create->cpus || create->memory || create->disk))
		return err_set(err, -EINVAL,
			       "a snapshot has its agent and its sizes: --snapshot goes without them");
	if (call->snapshot && (create->mounts.count > 0 || create->has_no_mount || create->guards.count > 0))
		return err_set(err, -EINVAL, "a snapshot has its folders: --snapshot goes without others");
	if (call->is_detached && words->n_rest > 0)
		return err_set(
			err, -EINVAL,
			"--detach starts no session, so arguments for the agent make no sense with it");
	if (call->is_detached && call->is_removed)
		return err_set(err, -EINVAL, "--detach and --rm exclude each other");
	return create_check(create, words->count - 1, err);
}

static int run(int argc, char **argv)
{
	static struct run_call call; /* lists are too long for a stack */
	struct words words;
	struct run run = {.call = &call, .words = &words};
	struct err err = {.text = ""};
	int status = 0;
	enum options_result result = options_parse(&options, argc, argv, &call, &words, &err);
	int r;

	if (result == OPTIONS_HELP)
		return 0;
	if (result == OPTIONS_BAD || check(&call, &words, &err) < 0)
		return command_misuse("run", &err);
	r = prepare(&run, &err);
	r = r < 0 ? r : go(&run, &status, &err);
	sandbox_done(&run.sandbox);
	wish_done(&run.wish);
	if (r < 0)
		command_fail(&err);
	return r < 0 && status == 0 ? EXIT_FAILED : status;
}

const struct command cmd_run = {.name = "run", .summary = "run an agent in a sandbox", .run = run};
