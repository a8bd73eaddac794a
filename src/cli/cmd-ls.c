/* Reads the folders and asks all supervisors at once, with a limit: one that hangs slows nothing. */
#include "cli/client.h"
#include "cli/command.h"
#include "cli/options.h"
#include "supervisor/sandbox.h"

#include "base/text.h"

#include <stddef.h>
#include <stdio.h>

enum { ANSWER_LIMIT_MS = 35, STATE_BYTES = 64 };

struct ls_call {
	bool is_json, is_quiet;
};

static const struct option_row rows[] = {
	{"json", 0, OPTION_FLAG, offsetof(struct ls_call, is_json), NULL, "print JSON"},
	{"quiet", 'q', OPTION_FLAG, offsetof(struct ls_call, is_quiet), NULL, "print names only"},
	{0},
};

static const struct options options = {
	.rows = rows, .usage = "sbx ls [OPTIONS]", .text = "Lists the sandboxes and their states."};

struct row {
	struct sandbox sandbox;
	bool is_damaged;
};

static json_t *shares_json(const struct sandbox *sandbox)
{
	json_t *array = json_array();

	for (size_t i = 0; i < sandbox->n_shares; i++) {
		const struct sandbox_share *share = &sandbox->shares[i];

		if (!share->is_gone)
			json_array_append_new(array,
					      json_pack("{s:s, s:s, s:b, s:b}", "source", share->source,
							"target", share->target, "read_only",
							share->is_read_only, "file", share->is_file));
	}
	return array;
}

/* What was refused to it since it was started: a person is to look at the journal (sbx(1), Guarded files). */
static json_int_t n_refused(const struct client_status *status)
{
	return json_integer_value(json_object_get(status->reply, "guarded"));
}

static json_t *row_json(const struct row *row, const struct client_status *status)
{
	const struct sandbox *sandbox = &row->sandbox;

	if (row->is_damaged)
		return json_pack("{s:s, s:s}", "name", status->name, "status", "damaged");
	return json_pack("{s:s, s:s, s:s, s:s?, s:o, s:I, s:I, s:I, s:I, s:I, s:s?, s:o}", "name",
			 status->name, "agent", sandbox->agent, "status", client_state_names[status->state],
			 "workspace", sandbox->workspace, "shares", shares_json(sandbox), "cpus",
			 (json_int_t)sandbox->cpus, "memory_mib", (json_int_t)sandbox->memory_mib, "disk_mib",
			 (json_int_t)sandbox->disk_mib, "created", (json_int_t)sandbox->created, "refused",
			 n_refused(status), "accel",
			 json_string_value(json_object_get(status->reply, "accel")), "pids",
			 json_incref(json_object_get(status->reply, "pids")) ?: json_object());
}

static void print_json(const struct row *list, const struct client_status *statuses, size_t count)
{
	json_t *array = json_array();

	for (size_t i = 0; i < count; i++)
		json_array_append_new(array, row_json(&list[i], &statuses[i]));
	json_dumpf(array, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(array);
}

static void describe_state(const struct row *row, const struct client_status *status, char ret[STATE_BYTES])
{
	const char *state = row->is_damaged ? "damaged" : client_state_names[status->state];
	json_int_t refused = n_refused(status);

	if (refused > 0)
		snprintf(ret, STATE_BYTES, "%s, %lld refused", state, (long long)refused);
	else
		snprintf(ret, STATE_BYTES, "%s", state);
}

static void print_table(const struct row *list, const struct client_status *statuses, size_t count)
{
	size_t width = strlen("SANDBOX");

	for (size_t i = 0; i < count; i++)
		width = strlen(statuses[i].name) > width ? strlen(statuses[i].name) : width;
	printf("%-*s  %-8s  %-20s  %s\n", (int)width, "SANDBOX", "AGENT", "STATUS", "WORKSPACE");
	for (size_t i = 0; i < count; i++) {
		const struct sandbox *sandbox = &list[i].sandbox;
		auto_buf struct buf folder = {0};
		char state[STATE_BYTES];

		describe_state(&list[i], &statuses[i], state);
		if (sandbox->workspace)
			(void)text_printable(&folder, slice_text(sandbox->workspace), false);
		printf("%-*s  %-8s  %-20s  %s\n", (int)width, statuses[i].name,
		       sandbox->agent ? sandbox->agent : "-", state,
		       folder.len > 0 ? buf_text(&folder) : "-");
	}
}

static void show(const struct ls_call *call, const struct paths *paths, char **names, size_t count)
{
	autofree struct client_status *statuses = calloc(count + 1, sizeof(*statuses));
	autofree struct row *list = calloc(count + 1, sizeof(*list));

	for (size_t i = 0; statuses && list && i < count; i++) {
		statuses[i].name = names[i];
		list[i].is_damaged =
			sandbox_load(paths, SHELF_SANDBOXES, names[i], &list[i].sandbox, NULL) < 0;
	}
	if (!statuses || !list)
		return;
	client_statuses(paths, statuses, count, ANSWER_LIMIT_MS);
	if (call->is_json)
		print_json(list, statuses, count);
	else
		print_table(list, statuses, count);
	for (size_t i = 0; i < count; i++) {
		sandbox_done(&list[i].sandbox);
		json_decref(statuses[i].reply);
	}
}

static int run(int argc, char **argv)
{
	struct ls_call call = {0};
	char **names = NULL;
	struct paths paths;
	struct words words;
	struct err err;
	size_t count = 0;
	enum options_result result = options_parse(&options, argc, argv, &call, &words, &err);

	if (result == OPTIONS_HELP)
		return 0;
	if (result == OPTIONS_BAD)
		return command_misuse("ls", &err);
	if (paths_open(&paths, &err) < 0 || sandbox_names(&paths, SHELF_SANDBOXES, &names, &err) < 0)
		return command_fail(&err);
	while (names[count])
		count++;
	for (size_t i = 0; call.is_quiet && i < count; i++)
		puts(names[i]);
	if (!call.is_quiet)
		show(&call, &paths, names, count);
	sandbox_names_free(names);
	return 0;
}

const struct command cmd_ls = {.name = "ls", .summary = "list sandboxes", .run = run};
