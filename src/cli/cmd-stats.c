/*
 * How it works
 *   All supervisors are asked at once, with a limit, and have their guests asked. The processor's share is
 * the difference of two looks at the processes' times: a moment apart, or as far apart as the table is drawn.
 */
#include "cli/client.h"
#include "cli/command.h"
#include "cli/options.h"
#include "cli/usage.h"
#include "supervisor/sandbox.h"

#include "base/clock.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

enum { ANSWER_LIMIT_MS = 1500, MOMENT_MS = 200, WATCH_MS = 2000, ROLES = 3 };

struct stats_call {
	bool is_json, is_watching;
};

static const struct option_row rows[] = {
	{"json", 0, OPTION_FLAG, offsetof(struct stats_call, is_json), NULL, "print JSON"},
	{"watch", 'w', OPTION_FLAG, offsetof(struct stats_call, is_watching), NULL,
	 "go on, every two seconds, until Ctrl-C"},
	{0},
};

static const struct options options = {
	.rows = rows,
	.usage = "sbx stats [OPTIONS] [SANDBOX...]",
	.text = "Shows what sandboxes use: CPU (100% is one processor of this machine), memory of this "
		"machine (each\n"
		"one's share), memory as the guest sees it, disk space taken, and how long it has been "
		"running.",
};

struct row {
	const char *name; /* borrowed */
	enum client_state state;
	pid_t pids[ROLES];
	uint64_t cpu_ms, before_ms; /* of all its processes, at the last look and the one before */
	int64_t at_ms, before_at_ms;
	uint64_t memory_bytes, disk_bytes, disk_max_bytes;
	int64_t since; /* 0: does not run */
	json_t *guest; /* owned; NULL where it has not answered */
};

/* ---- looking ---- */

static void look_at_disk(const struct paths *paths, struct row *row)
{
	autofd int dir = sandbox_open_dir(paths, SHELF_SANDBOXES, row->name, NULL);
	struct stat info;

	if (dir < 0 || fstatat(dir, "disk.img", &info, AT_SYMLINK_NOFOLLOW) < 0)
		return;
	row->disk_bytes = (uint64_t)info.st_blocks * 512;
	row->disk_max_bytes = (uint64_t)info.st_size;
}

static void look_at_processes(struct row *row)
{
	row->before_ms = row->cpu_ms;
	row->before_at_ms = row->at_ms;
	row->at_ms = clock_ms();
	row->cpu_ms = row->memory_bytes = 0;
	for (size_t i = 0; i < ROLES; i++) {
		row->cpu_ms += usage_cpu_ms(row->pids[i]);
		row->memory_bytes += usage_memory_bytes(row->pids[i]);
	}
}

static void take_answer(struct row *row, const struct client_status *status)
{
	static const char *const roles[ROLES] = {"supervisor", "engine", "link"};
	const json_t *pids = json_object_get(status->reply, "pids");
	json_t *guest = json_object_get(status->reply, "guest");

	row->state = status->state;
	row->since = json_integer_value(json_object_get(status->reply, "since"));
	for (size_t i = 0; i < ROLES; i++)
		row->pids[i] = (pid_t)json_integer_value(json_object_get(pids, roles[i]));
	json_decref(row->guest);
	row->guest = json_is_object(guest) ? json_incref(guest) : NULL;
	json_decref(status->reply);
}

static void look(const struct paths *paths, struct row *list, size_t count)
{
	autofree struct client_status *statuses = calloc(count + 1, sizeof(*statuses));

	for (size_t i = 0; statuses && i < count; i++)
		statuses[i].name = list[i].name;
	if (!statuses)
		return;
	client_statuses_of(paths, "stats", statuses, count, ANSWER_LIMIT_MS);
	for (size_t i = 0; i < count; i++) {
		take_answer(&list[i], &statuses[i]);
		look_at_disk(paths, &list[i]);
		look_at_processes(&list[i]);
	}
}

/* ---- showing ---- */

static double cpu_share(const struct row *row)
{
	int64_t passed_ms = row->at_ms - row->before_at_ms;

	if (row->since == 0 || passed_ms <= 0 || row->cpu_ms < row->before_ms)
		return 0;
	return (double)(row->cpu_ms - row->before_ms) / (double)passed_ms;
}

static uint64_t guest_bytes(const struct row *row, const char *name)
{
	return (uint64_t)json_integer_value(json_object_get(row->guest, name)) << 10;
}

static json_t *row_json(const struct row *row)
{
	if (row->since == 0)
		return json_pack("{s:s, s:s, s:n, s:n, s:n, s:I, s:I, s:n}", "name", row->name, "status",
				 client_state_names[row->state], "cpu", "memory_bytes", "guest", "disk_bytes",
				 (json_int_t)row->disk_bytes, "disk_max_bytes",
				 (json_int_t)row->disk_max_bytes, "seconds");
	return json_pack("{s:s, s:s, s:f, s:I, s:o, s:I, s:I, s:I}", "name", row->name, "status",
			 client_state_names[row->state], "cpu", cpu_share(row), "memory_bytes",
			 (json_int_t)row->memory_bytes, "guest",
			 row->guest ? json_incref(row->guest) : json_null(), "disk_bytes",
			 (json_int_t)row->disk_bytes, "disk_max_bytes", (json_int_t)row->disk_max_bytes,
			 "seconds", (json_int_t)(time(NULL) - row->since));
}

static void show_json(const struct row *list, size_t count)
{
	json_t *array = json_array();

	for (size_t i = 0; i < count; i++)
		json_array_append_new(array, row_json(&list[i]));
	json_dumpf(array, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(array);
}

static void show_row(const struct row *row, int width)
{
	char memory[TEXT_SHORT_BYTES] = "-", used[TEXT_SHORT_BYTES] = "-", total[TEXT_SHORT_BYTES] = "-";
	char disk[TEXT_SHORT_BYTES], age[TEXT_SHORT_BYTES] = "-", cpu[TEXT_SHORT_BYTES] = "-";
	int64_t seconds = row->since ? time(NULL) - row->since : 0;

	text_format_bytes(row->disk_bytes, disk);
	if (row->since) {
		snprintf(cpu, sizeof(cpu), "%.1f%%", cpu_share(row) * 100);
		text_format_bytes(row->memory_bytes, memory);
		text_format_age(seconds > 0 ? (uint64_t)seconds : 0, age);
	}
	if (row->guest) {
		text_format_bytes(guest_bytes(row, "memory_total_kib") -
					  guest_bytes(row, "memory_available_kib"),
				  used);
		text_format_bytes(guest_bytes(row, "memory_total_kib"), total);
	}
	printf("%-*s  %-9s  %7s  %10s  %10s / %-10s  %10s  %5lld  %s\n", width, row->name,
	       client_state_names[row->state], cpu, memory, used, total, disk,
	       json_integer_value(json_object_get(row->guest, "processes")), age);
}

static void show_table(const struct row *list, size_t count)
{
	int width = (int)strlen("SANDBOX");

	for (size_t i = 0; i < count; i++)
		width = (int)strlen(list[i].name) > width ? (int)strlen(list[i].name) : width;
	printf("%-*s  %-9s  %7s  %10s  %10s / %-10s  %10s  %5s  %s\n", width, "SANDBOX", "STATUS", "CPU",
	       "MEMORY", "GUEST USED", "TOTAL", "DISK", "PROCS", "RUNNING FOR");
	for (size_t i = 0; i < count; i++)
		show_row(&list[i], width);
	fflush(stdout);
}

static void show(const struct stats_call *call, const struct row *list, size_t count)
{
	if (call->is_json)
		show_json(list, count);
	else
		show_table(list, count);
}

/* Draws over what it has drawn before, on a terminal. */
static void watch(const struct stats_call *call, const struct paths *paths, struct row *list, size_t count)
{
	bool is_terminal = isatty(STDOUT_FILENO);

	while (!ferror(stdout)) {
		show(call, list, count);
		(void)poll(NULL, 0, WATCH_MS);
		look(paths, list, count);
		if (is_terminal && !call->is_json)
			printf("\033[%zuA\033[J", count + 1);
	}
}

static void stats(const struct stats_call *call, const struct paths *paths, char **names, size_t count)
{
	autofree struct row *list = calloc(count + 1, sizeof(*list));

	for (size_t i = 0; list && i < count; i++)
		list[i].name = names[i];
	if (!list)
		return;
	look(paths, list, count);
	(void)poll(NULL, 0, MOMENT_MS);
	for (size_t i = 0; i < count; i++)
		look_at_processes(&list[i]);
	if (call->is_watching)
		watch(call, paths, list, count);
	else
		show(call, list, count);
	for (size_t i = 0; i < count; i++)
		json_decref(list[i].guest);
}

static int check_names(const struct paths *paths, const struct words *words, struct err *err)
{
	for (int i = 0; i < words->count; i++) {
		autofd int dir = sandbox_open_dir(paths, SHELF_SANDBOXES, words->items[i], err);

		if (dir < 0)
			return dir;
	}
	return 0;
}

static int run(int argc, char **argv)
{
	struct stats_call call = {0};
	struct paths paths;
	struct words words;
	struct err err;
	char **names = NULL;
	size_t count = 0;
	enum options_result result = options_parse(&options, argc, argv, &call, &words, &err);

	if (result == OPTIONS_HELP)
		return 0;
	if (result == OPTIONS_BAD)
		return command_misuse("stats", &err);
	if (paths_open(&paths, &err) < 0 || check_names(&paths, &words, &err) < 0)
		return command_fail(&err);
	if (words.count > 0) {
		stats(&call, &paths, words.items, (size_t)words.count);
		return 0;
	}
	if (sandbox_names(&paths, SHELF_SANDBOXES, &names, &err) < 0)
		return command_fail(&err);
	while (names[count])
		count++;
	stats(&call, &paths, names, count);
	sandbox_names_free(names);
	return 0;
}

const struct command cmd_stats = {.name = "stats", .summary = "show what sandboxes use", .run = run};
