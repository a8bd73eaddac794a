#include "cli/command.h"
#include "cli/copy.h"
#include "cli/options.h"

#include "base/text.h"

#include <jansson.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

struct snapshot_call {
	bool is_json;
};

static const struct option_row rows[] = {
	{"json", 0, OPTION_FLAG, offsetof(struct snapshot_call, is_json), NULL, "ls: print JSON"},
	{0},
};

static const struct options options = {
	.rows = rows,
	.usage = "sbx snapshot save SANDBOX NAME | ls | rm NAME...",
	.text = "save  keeps the state of a sandbox, running or not, under a name\n"
		"ls    lists what is kept\n"
		"rm    removes it; sandboxes that were started from it stay\n"
		"'sbx run --snapshot NAME' starts a new sandbox from it, any number of times.",
};

static int save(const struct paths *paths, const struct words *words, struct err *err)
{
	auto_sandbox struct sandbox sandbox = {0};
	int r = copy_make(paths, SHELF_SANDBOXES, words->items[1], SHELF_SNAPSHOTS, words->items[2], &sandbox,
			  NULL, err);

	if (r == 0)
		printf("%s\n", words->items[2]);
	return r;
}

static void print_row(const struct sandbox *sandbox)
{
	char age[TEXT_SHORT_BYTES];
	int64_t seconds = time(NULL) - sandbox->created;

	text_format_age(seconds > 0 ? (uint64_t)seconds : 0, age);
	printf("%-24s  %-8s  %4u  %8llu MiB  %s ago\n", sandbox->name, sandbox->agent, sandbox->cpus,
	       (unsigned long long)sandbox->memory_mib, age);
}

static void print_json(json_t *array)
{
	json_dumpf(array, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(array);
}

static int list(const struct paths *paths, const struct snapshot_call *call, struct err *err)
{
	json_t *array = json_array();
	char **names = NULL;
	int r = sandbox_names(paths, SHELF_SNAPSHOTS, &names, err);

	if (r == 0 && !call->is_json)
		printf("%-24s  %-8s  %4s  %12s  %s\n", "SNAPSHOT", "AGENT", "CPUS", "MEMORY", "MADE");
	for (char **name = names; r == 0 && *name; name++) {
		auto_sandbox struct sandbox sandbox = {0};

		if (sandbox_load(paths, SHELF_SNAPSHOTS, *name, &sandbox, NULL) < 0)
			printf("%-24s  damaged\n", *name);
		else if (call->is_json)
			json_array_append_new(array,
					      json_pack("{s:s, s:s, s:i, s:I, s:I}", "name", *name, "agent",
							sandbox.agent, "cpus", (int)sandbox.cpus,
							"memory_mib", (json_int_t)sandbox.memory_mib,
							"created", (json_int_t)sandbox.created));
		else
			print_row(&sandbox);
	}
	if (r == 0 && call->is_json)
		print_json(array);
	else
		json_decref(array);
	sandbox_names_free(names);
	return r;
}

static int remove_all(const struct paths *paths, const struct words *words)
{
	struct err err;
	int status = 0;

	for (int i = 1; i < words->count; i++)
		if (sandbox_remove(paths, SHELF_SNAPSHOTS, words->items[i], &err) < 0)
			status = command_fail(&err);
	return status;
}

static int run(int argc, char **argv)
{
	struct snapshot_call call = {0};
	struct paths paths;
	struct words words;
	struct err err;
	enum options_result result = options_parse(&options, argc, argv, &call, &words, &err);
	const char *what = result == OPTIONS_OK && words.count > 0 ? words.items[0] : "";
	bool is_save = strcmp(what, "save") == 0 && words.count == 3;
	bool is_list = strcmp(what, "ls") == 0 && words.count == 1;
	bool is_remove = strcmp(what, "rm") == 0 && words.count > 1;

	if (result == OPTIONS_HELP)
		return 0;
	if (result == OPTIONS_OK && !is_save && !is_list && !is_remove) {
		err_set(&err, 0, "sbx snapshot takes 'save SANDBOX NAME', 'ls' or 'rm NAME'");
		result = OPTIONS_BAD;
	}
	if (result == OPTIONS_BAD)
		return command_misuse("snapshot", &err);
	if (paths_open(&paths, &err) < 0)
		return command_fail(&err);
	if (is_remove)
		return remove_all(&paths, &words);
	if ((is_save ? save(&paths, &words, &err) : list(&paths, &call, &err)) < 0)
		return command_fail(&err);
	return 0;
}

const struct command cmd_snapshot = {.name = "snapshot", .summary = "keep states under a name", .run = run};
