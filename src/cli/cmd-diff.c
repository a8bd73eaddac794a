/*
 * The servers of the folders write what the sandbox has changed into a file that is lent to them, lines of
 * JSON:
 * {"share": FOLDER} and then {"path": below it, "change": KIND, "size": N} for each. Guests choose the names,
 * so nothing in it is believed.
 */
#include "cli/client.h"
#include "cli/command.h"
#include "cli/options.h"
#include "cli/start.h"

#include "base/fd.h"
#include "base/log.h"
#include "base/text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

enum { ASK_LIMIT_MS = 60000, DIFF_MAX_BYTES = 256 << 20 };

struct diff_call {
	bool is_json;
};

static const struct option_row rows[] = {
	{"json", 0, OPTION_FLAG, offsetof(struct diff_call, is_json), NULL, "print JSON"},
	{0},
};

static const struct options options = {
	.rows = rows,
	.usage = "sbx diff [OPTIONS] SANDBOX",
	.text = "Shows which files of its folders a running sandbox has created, modified or deleted since "
		"its\n"
		"folders were mounted.",
};

/* What is gathered while lines are read. */
struct diff {
	const struct diff_call *call;
	char *folder;
	json_t *array; /* with --json */
	size_t count, n_bad;
};

static const char *text_of(const json_t *line, const char *key)
{
	return json_string_value(json_object_get(line, key));
}

static int print_row(const struct diff *diff, const char *path, const char *change, const json_t *size)
{
	auto_buf struct buf whole = {0}, shown = {0}, kind = {0};
	char size_text[TEXT_SHORT_BYTES] = "-";
	int r = buf_printf(&whole, "%s/%s", diff->folder, path);

	r = r < 0 ? r : text_printable(&shown, buf_slice(&whole), false);
	r = r < 0 ? r : text_printable(&kind, slice_text(change), false);
	if (r < 0)
		return r;
	if (json_is_integer(size) && json_integer_value(size) >= 0 && strcmp(change, "deleted") != 0)
		text_format_bytes((uint64_t)json_integer_value(size), size_text);
	if (diff->count == 0)
		printf("%-8s  %10s  %s\n", "CHANGE", "SIZE", "PATH");
	printf("%-8.8s  %10s  %s\n", buf_text(&kind), size_text, buf_text(&shown));
	return 0;
}

static int keep_row(const struct diff *diff, json_t *line)
{
	if (json_object_set_new(line, "folder", json_string(diff->folder)) < 0)
		return -ENOMEM;
	return json_array_append(diff->array, line) < 0 ? -ENOMEM : 0;
}

static int take_line(struct diff *diff, json_t *line)
{
	const char *folder = text_of(line, "share"), *path = text_of(line, "path");
	const char *change = text_of(line, "change");
	int r;

	if (folder) {
		free(diff->folder);
		diff->folder = strdup(folder);
		return diff->folder ? 0 : -ENOMEM;
	}
	if (!path || !change || !diff->folder) {
		diff->n_bad++;
		return 0;
	}
	r = diff->call->is_json ? keep_row(diff, line)
				: print_row(diff, path, change, json_object_get(line, "size"));
	diff->count++;
	return r;
}

static int take_lines(struct diff *diff, struct slice text)
{
	int r = 0;

	while (r == 0 && text.len > 0) {
		const char *end = memchr(text.ptr, '\n', text.len);
		size_t len = end ? (size_t)(end - text.ptr) : text.len;
		json_t *line = json_loadb(text.ptr, len, JSON_REJECT_DUPLICATES, NULL);

		if (line)
			r = take_line(diff, line);
		else
			diff->n_bad++;
		json_decref(line);
		text = slice_skip(text, end ? len + 1 : len);
	}
	return r;
}

static int show(const struct diff_call *call, struct slice text, struct err *err)
{
	struct diff diff = {.call = call, .array = json_array()};
	int r = take_lines(&diff, text);

	if (r == 0 && call->is_json) {
		json_dumpf(diff.array, stdout, JSON_INDENT(2));
		putchar('\n');
	}
	free(diff.folder);
	json_decref(diff.array);
	if (r < 0)
		return err_errno(err, r, "cannot show the changes");
	if (diff.count == 0 && diff.n_bad == 0)
		log_line("no changes");
	if (diff.n_bad > 0)
		log_line("%zu lines of the list make no sense and are left out", diff.n_bad);
	return 0;
}

static int ask(const struct paths *paths, const char *name, int into, struct err *err)
{
	autofd int fd = client_connect(paths, name, err);

	if (fd < 0)
		return fd;
	return client_ask_with_files(fd, json_pack("{s:s}", "op", "diff"), &into, 1, ASK_LIMIT_MS, NULL, err);
}

static int diff(const struct diff_call *call, const char *name, struct err *err)
{
	autofd int dir = -1, file = memfd_create("sbx-diff", MFD_CLOEXEC);
	auto_buf struct buf text = {0};
	struct paths paths;
	int r = paths_open(&paths, err);

	dir = r < 0 ? r : sandbox_open_dir(&paths, SHELF_SANDBOXES, name, err);
	r = dir < 0 ? dir : start_is_running(&paths, name, err);
	if (r == 0)
		return err_set(
			err, -ENOENT,
			"sandbox '%s' is not running, and only one that runs knows its changes: 'sbx exec "
			"%s true' starts it",
			name, name);
	if (r < 0)
		return r;
	if (file < 0)
		return err_errno(err, -errno, "cannot make a file for the answer");
	r = ask(&paths, name, file, err);
	if (r < 0)
		return r;
	r = lseek(file, 0, SEEK_SET) < 0 ? -errno : fd_read_all(file, DIFF_MAX_BYTES, &text);
	return r < 0 ? err_errno(err, r, "cannot read the changes") : show(call, buf_slice(&text), err);
}

static int run(int argc, char **argv)
{
	struct diff_call call = {0};
	struct words words;
	struct err err;
	enum options_result result = options_parse(&options, argc, argv, &call, &words, &err);

	if (result == OPTIONS_HELP)
		return 0;
	if (result == OPTIONS_OK && words.count != 1) {
		err_set(&err, 0, "sbx diff takes the name of a sandbox");
		result = OPTIONS_BAD;
	}
	if (result == OPTIONS_BAD)
		return command_misuse("diff", &err);
	return diff(&call, words.items[0], &err) < 0 ? command_fail(&err) : 0;
}

const struct command cmd_diff = {
	.name = "diff", .summary = "show what a sandbox has changed in its folders", .run = run};
