/* What sandboxes have reached, or tried to: their journals, summed up by host or line by line. */
#include "cli/command.h"
#include "cli/journal-read.h"
#include "cli/options.h"
#include "cli/policy.h"

#include "base/text.h"
#include "supervisor/sandbox.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

struct log_call {
	bool is_followed, is_json, is_denied;
};

static const struct option_row rows[] = {
	{"follow", 'f', OPTION_FLAG, offsetof(struct log_call, is_followed), NULL,
	 "show what comes, as it comes"},
	{"denied", 0, OPTION_FLAG, offsetof(struct log_call, is_denied), NULL, "only what was denied"},
	{"json", 0, OPTION_FLAG, offsetof(struct log_call, is_json), NULL,
	 "print the records, one JSON object a line"},
	{0},
};

static const struct options options = {
	.rows = rows,
	.usage = "sbx policy log [OPTIONS] [SANDBOX]",
	.text = "Shows what all sandboxes, or SANDBOX, have reached and what was denied, summed up by host.",
};

struct log {
	const struct log_call *call;
	json_t *denied, *allowed; /* sums by "sandbox host:port" */
	bool is_failed;
};

/* ---- records ---- */

static const char *text_of(const json_t *record, const char *key)
{
	const char *text = json_string_value(json_object_get(record, key));

	return text ? text : "";
}

static bool is_denied(const json_t *record)
{
	return strcmp(text_of(record, "decision"), "allow") != 0;
}

/* The journal tells of folders too. */
static bool is_wanted(const struct log_call *call, const json_t *record)
{
	return text_of(record, "host")[0] != '\0' && json_is_integer(json_object_get(record, "port")) &&
	       (!call->is_denied || is_denied(record));
}

static const char *reason_of(const json_t *record)
{
	const char *reason = text_of(record, "reason");

	return reason[0] || text_of(record, "rule")[0] || !is_denied(record) ? reason : "no rule allows it";
}

/* With where it led, where it was denied after that was known: that is what a rule would have to name. */
static int format_reason(const json_t *record, struct buf *into)
{
	const char *address = is_denied(record) ? text_of(record, "address") : "";

	return buf_printf(into, "%s%s%s", reason_of(record), address[0] ? "; address " : "", address);
}

static int format_place(const json_t *record, struct buf *into)
{
	const char *host = text_of(record, "host");
	bool has_colons = strchr(host, ':') != NULL;

	return buf_printf(into, "%s%s%s:%lld", has_colons ? "[" : "", host, has_colons ? "]" : "",
			  (long long)json_integer_value(json_object_get(record, "port")));
}

/* Everything in a record may be a guest's text. */
static void print_text(const char *text, int width)
{
	auto_buf struct buf shown = {0};

	if (text_printable(&shown, slice_text(text), false) == 0)
		printf("%-*s", width, buf_text(&shown));
}

static void print_record(const json_t *record)
{
	const char *method = text_of(record, "method"), *rule = text_of(record, "rule");
	auto_buf struct buf line = {0}, reason = {0};
	int r = buf_printf(&line, "%s  %s  %s  ", text_of(record, "time"), text_of(record, "sandbox"),
			   is_denied(record) ? "denied " : "allowed");

	r = r < 0 ? r : format_place(record, &line);
	if (r == 0 && method[0])
		r = buf_printf(&line, "  %s %s", method, text_of(record, "path"));
	if (r == 0 && rule[0])
		r = buf_printf(&line, "  by '%s'", rule);
	if (r == 0 && format_reason(record, &reason) == 0 && reason.len > 0)
		(void)buf_printf(&line, "  (%s)", buf_text(&reason));
	print_text(buf_text(&line), 0);
	putchar('\n');
}

static void print_json(const json_t *record)
{
	json_dumpf(record, stdout, JSON_COMPACT | JSON_ENSURE_ASCII);
	putchar('\n');
}

/* ---- sums ---- */

static void add_number(json_t *sum, const char *key, json_int_t more)
{
	json_object_set_new(sum, key, json_integer(json_integer_value(json_object_get(sum, key)) + more));
}

static int add_to_sums(json_t *sums, const json_t *record)
{
	const char *rule = text_of(record, "rule");
	/* The rule that allowed the name says nothing then. */
	bool has_reason = is_denied(record) && text_of(record, "reason")[0] != '\0';
	auto_buf struct buf key = {0}, why = {0};
	json_t *sum;
	int r = buf_printf(&key, "%s ", text_of(record, "sandbox"));

	r = r < 0 ? r : format_reason(record, &why);
	r = r < 0 ? r : format_place(record, &key);
	if (r < 0)
		return r;
	sum = json_object_get(sums, buf_text(&key));
	if (!sum) {
		sum = json_object();
		if (json_object_set_new(sums, buf_text(&key), sum) < 0)
			return -ENOMEM;
	}
	json_object_set_new(sum, "sandbox", json_string(text_of(record, "sandbox")));
	json_object_set_new(sum, "place", json_string(strchr(buf_text(&key), ' ') + 1));
	json_object_set_new(sum, "why", json_string(rule[0] && !has_reason ? rule : buf_text(&why)));
	json_object_set_new(sum, "time", json_string(text_of(record, "time")));
	add_number(sum, "count", 1);
	add_number(sum, "bytes_in", json_integer_value(json_object_get(record, "bytes_in")));
	add_number(sum, "bytes_out", json_integer_value(json_object_get(record, "bytes_out")));
	return 0;
}

static int by_time(const void *a, const void *b)
{
	return strcmp(text_of(*(const json_t *const *)b, "time"), text_of(*(const json_t *const *)a, "time"));
}

static void print_bytes(const json_t *sum, const char *key)
{
	json_int_t bytes = json_integer_value(json_object_get(sum, key));
	char text[TEXT_SHORT_BYTES];

	text_format_bytes(bytes > 0 ? (uint64_t)bytes : 0, text);
	printf("  %9s", text);
}

static void print_sum(const json_t *sum)
{
	print_text(text_of(sum, "sandbox"), 16);
	fputs("  ", stdout);
	print_text(text_of(sum, "place"), 36);
	printf("  %7lld", (long long)json_integer_value(json_object_get(sum, "count")));
	print_bytes(sum, "bytes_in");
	print_bytes(sum, "bytes_out");
	fputs("  ", stdout);
	print_text(text_of(sum, "time"), 20);
	fputs("  ", stdout);
	print_text(text_of(sum, "why"), 0);
	putchar('\n');
}

/* Newest first. */
static int print_sums(const char *title, json_t *sums)
{
	size_t count = json_object_size(sums), at = 0;
	autofree const json_t **list = calloc(count + 1, sizeof(const json_t *));
	const char *key;
	json_t *sum;

	if (!list)
		return -ENOMEM;
	json_object_foreach(sums, key, sum) list[at++] = sum;
	qsort(list, count, sizeof(const json_t *), by_time);
	printf("%s:%s\n", title, count > 0 ? "" : " nothing");
	if (count > 0)
		printf("%-16s  %-36s  %7s  %9s  %9s  %-20s  %s\n", "SANDBOX", "HOST", "COUNT", "IN", "OUT",
		       "LAST SEEN", "RULE");
	for (size_t i = 0; i < count; i++)
		print_sum(list[i]);
	return 0;
}

/* ---- the whole ---- */

static bool is_summed(const struct log_call *call)
{
	return !call->is_followed && !call->is_json;
}

static bool take_line(void *owner, const char *sandbox, struct slice line)
{
	struct log *log = owner;
	json_t *record = json_loadb(line.ptr, line.len, JSON_REJECT_DUPLICATES, NULL);

	if (json_is_object(record) && is_wanted(log->call, record)) {
		/* Whose it is says the folder that it lies in. */
		json_object_set_new(record, "sandbox", json_string(sandbox));
		if (is_summed(log->call))
			log->is_failed |=
				add_to_sums(is_denied(record) ? log->denied : log->allowed, record) < 0;
		else if (log->call->is_json)
			print_json(record);
		else
			print_record(record);
	}
	json_decref(record);
	return is_summed(log->call) || fflush(stdout) == 0;
}

static int read_all(const struct paths *paths, const char *sandbox, struct log *log, struct err *err)
{
	char **names = NULL;
	int r;

	if (sandbox)
		return journal_read(paths, sandbox, take_line, log, err);
	r = sandbox_names(paths, SHELF_SANDBOXES, &names, err);
	for (char **name = names; r == 0 && *name; name++)
		r = journal_read(paths, *name, take_line, log, err);
	sandbox_names_free(names);
	return r;
}

static int print_all(const struct log *log, struct err *err)
{
	int r = log->is_failed ? -ENOMEM : print_sums("Denied", log->denied);

	if (r == 0 && !log->call->is_denied) {
		putchar('\n');
		r = print_sums("Allowed", log->allowed);
	}
	return r < 0 ? err_errno(err, r, "cannot sum up the journal") : 0;
}

static int show(const struct log_call *call, const char *sandbox, struct err *err)
{
	struct log log = {.call = call, .denied = json_object(), .allowed = json_object()};
	struct paths paths;
	int r = paths_open(&paths, err);

	if (r == 0 && call->is_followed)
		r = journal_follow(&paths, sandbox, take_line, &log, err);
	else if (r == 0)
		r = read_all(&paths, sandbox, &log, err);
	if (r == 0 && is_summed(call))
		r = print_all(&log, err);
	json_decref(log.denied);
	json_decref(log.allowed);
	return r;
}

static int run(int argc, char **argv)
{
	struct log_call call = {0};
	struct words words;
	struct err err;
	enum options_result result = options_parse(&options, argc, argv, &call, &words, &err);

	if (result == OPTIONS_HELP)
		return 0;
	if (result == OPTIONS_OK && words.count > 1) {
		err_set(&err, 0, "sbx policy log takes the name of one sandbox, or none");
		result = OPTIONS_BAD;
	}
	if (result == OPTIONS_BAD)
		return command_misuse("policy log", &err);
	return show(&call, words.count == 1 ? words.items[0] : NULL, &err) < 0 ? command_fail(&err) : 0;
}

const struct policy_verb policy_log = {
	.name = "log", .summary = "show what was reached and what was denied", .run = run};
