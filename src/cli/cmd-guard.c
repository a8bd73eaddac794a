/*
 * The rules for guarded paths: what is built in (wire/guard.h), and the person's own, which count for all
 * sandboxes. Those that run are told.
 */
#include "cli/client.h"
#include "cli/command.h"
#include "cli/guard-file.h"
#include "cli/options.h"
#include "supervisor/sandbox.h"
#include "wire/guard.h"

#include "base/file.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>

enum { ASK_LIMIT_MS = 3000, FILE_MAX_BYTES = 65536 };

struct guard_call {
	bool is_json;
};

static const struct option_row rows[] = {
	{"json", 0, OPTION_FLAG, offsetof(struct guard_call, is_json), NULL, "ls: print JSON"},
	{0},
};

static const struct options options = {
	.rows = rows,
	.usage = "sbx guard ls | add PATTERN... | allow PATTERN... | rm PATTERN...",
	.text = "ls     lists what sandboxes cannot change in the folders that they share, because programs "
		"of the\n"
		"       host run or obey it, and your own rules\n"
		"add    guards more\n"
		"allow  lets it be changed\n"
		"rm     removes rules of yours\n"
		"PATTERN is a path from the folder's root: '*' stands for anything in a name, '**' for any "
		"number of\n"
		"names; what matches a folder matches all that is in it. The last rule that matches counts. "
		"Running\n"
		"sandboxes follow at once.",
};

/* ---- ls ---- */

static const char *const words_of_place[] = {
	[GUARD_FREE] = "allow",   [GUARD_CLOSED] = "guard", [GUARD_HOOKS] = "guard",
	[GUARD_SAMPLE] = "allow", [GUARD_CONFIG] = "check", [GUARD_POINTER] = "check",
	[GUARD_ABOVE] = "guard",
};

static const char *const anchors[] = {
	[GUARD_AT_REPOSITORY] = "repository", [GUARD_AT_GIT] = ".git", [GUARD_ANYWHERE] = "anywhere"};

struct list {
	json_t *array; /* with --json */
	bool is_begun;
};

static void print_row(struct list *list, const char *rule, const char *where, struct slice pattern,
		      const char *why)
{
	auto_buf struct buf shown = {0};

	if (list->array) {
		json_array_append_new(list->array,
				      json_pack("{s:s, s:s, s:s%, s:s}", "rule", rule, "from", where,
						"pattern", pattern.ptr, pattern.len, "why", why));
		return;
	}
	if (!list->is_begun)
		printf("%-5s  %-10s  %-27s  %s\n", "RULE", "FROM", "PATTERN", "WHY");
	list->is_begun = true;
	(void)text_printable(&shown, pattern, false);
	printf("%-5s  %-10s  %-27s  %s\n", rule, where, buf_text(&shown), why);
}

static void print_builtin(struct list *list)
{
	for (const struct guard_row *row = guard_rows; row->pattern; row++)
		print_row(list, words_of_place[row->place], anchors[row->anchor], slice_text(row->pattern),
			  row->why);
}

static void print_own(struct list *list, struct slice text)
{
	struct guard_rule rule;
	struct slice line;
	unsigned number = 0;

	while (guard_take(&text, &number, &line, &rule) > 0)
		print_row(list, rule.allows ? "allow" : "guard", "root", rule.pattern, "your rule");
}

static int show(const struct guard_call *call, struct slice text, struct err *err)
{
	struct list list = {.array = call->is_json ? json_array() : NULL};
	int r = guard_file_check(text, err);

	if (r < 0)
		return r;
	print_builtin(&list);
	print_own(&list, text);
	if (list.array) {
		json_dumpf(list.array, stdout, JSON_INDENT(2));
		putchar('\n');
	}
	json_decref(list.array);
	return 0;
}

/* ---- changes ---- */

static json_t *rules_of(struct slice text)
{
	json_t *rules = json_array();
	struct guard_rule rule;
	struct slice line;
	unsigned number = 0;

	while (guard_take(&text, &number, &line, &rule) > 0)
		json_array_append_new(rules, json_stringn(line.ptr, line.len));
	return rules;
}

/* The rules are kept by now: whoever cannot be told has the old ones until its next start. */
static int tell(const struct paths *paths, const char *name, struct slice text, struct err *err)
{
	autofd int fd = client_connect(paths, name, err);
	int r;

	if (fd == -ENOENT || fd == -ECONNREFUSED)
		return 0;
	r = fd < 0 ? fd
		   : client_ask_with(fd, json_pack("{s:s, s:o}", "op", "guard", "rules", rules_of(text)),
				     ASK_LIMIT_MS, NULL, err);
	return r < 0 ? err_add(err, r,
			       "the rules are kept, but sandbox '%s' goes on with the old ones until it is "
			       "stopped and started",
			       name)
		     : 0;
}

static int tell_all(const struct paths *paths, struct slice text, struct err *err)
{
	char **names = NULL;
	int result = sandbox_names(paths, SHELF_SANDBOXES, &names, err);

	for (char **name = names; name && *name; name++) {
		int r = tell(paths, *name, text, err);

		result = r < 0 ? r : result;
	}
	sandbox_names_free(names);
	return result;
}

static int check_pattern(const char *pattern, struct err *err)
{
	if (text_is_line(pattern) && guard_is_pattern(slice_text(pattern)))
		return 0;
	return err_set(err, -EINVAL,
		       "'%s' is no pattern: it is a path from the folder's root, without '.' and '..' and "
		       "without a "
		       "slash at its begin or end",
		       pattern);
}

static int check_count(struct slice text, struct err *err)
{
	struct guard_rule rule;
	struct slice line;
	unsigned number = 0, count = 0;

	while (guard_take(&text, &number, &line, &rule) > 0)
		count++;
	return count <= GUARD_RULES_MAX
		       ? 0
		       : err_set(err, -E2BIG,
				 "there can be %d rules of yours: a pattern with stars says more",
				 GUARD_RULES_MAX);
}

static int add_rule(const char *verb, const char *pattern, struct slice text, struct buf *ret,
		    struct err *err)
{
	auto_buf struct buf rule = {0};
	int r = check_pattern(pattern, err);

	if (r < 0)
		return r;
	r = buf_printf(&rule, "%s %s", verb, pattern);
	r = r < 0 ? r : guard_file_add(text, buf_text(&rule), ret);
	return r < 0 ? err_errno(err, r, "cannot change the rules") : 0;
}

static int remove_rule(const char *pattern, struct slice text, struct buf *ret, struct err *err)
{
	int r = guard_file_remove(text, pattern, ret);

	if (r == 0)
		return err_set(err, -ENOENT, "there is no rule of yours for '%s': 'sbx guard ls' shows them",
			       pattern);
	return r < 0 ? err_errno(err, r, "cannot change the rules") : 0;
}

/* Makes of the text what the words say. */
static int edit(const struct words *words, struct buf *text, struct err *err)
{
	const char *verb = strcmp(words->items[0], "add") == 0 ? "guard" : words->items[0];

	for (int i = 1; i < words->count; i++) {
		auto_buf struct buf next = {0}, last = *text;
		int r = strcmp(verb, "rm") == 0
				? remove_rule(words->items[i], buf_slice(text), &next, err)
				: add_rule(verb, words->items[i], buf_slice(text), &next, err);

		buf_init(text);
		if (r < 0)
			return r;
		*text = next;
		buf_init(&next);
	}
	return check_count(buf_slice(text), err);
}

static int read_rules(const struct paths *paths, int *ret_dir, struct buf *ret, struct err *err)
{
	int dir = file_open_dir(AT_FDCWD, paths->config);
	int r = dir < 0 ? dir : file_read(dir, "guard", FILE_MAX_BYTES, ret);

	*ret_dir = dir;
	return r < 0 && (dir < 0 || r != -ENOENT) ? err_errno(err, r, "cannot read '%s/guard'", paths->config)
						  : 0;
}

static int change(const struct paths *paths, const struct words *words, struct err *err)
{
	auto_buf struct buf text = {0};
	autofd int dir = file_open_dir(AT_FDCWD, paths->config), reading = -1;
	int r = dir >= 0 && flock(dir, LOCK_EX | LOCK_NB) < 0
			? err_set(err, -EBUSY, "another command changes the rules: try again in a moment")
			: 0;

	r = r < 0 ? r : read_rules(paths, &reading, &text, err);
	r = r < 0 ? r : guard_file_check(buf_slice(&text), err);
	r = r < 0 ? r : edit(words, &text, err);
	r = r < 0 ? r : file_write_atomic(dir, "guard", 0600, buf_slice(&text), err);
	return r < 0 ? r : tell_all(paths, buf_slice(&text), err);
}

static int obey(const struct guard_call *call, const struct words *words, struct err *err)
{
	auto_buf struct buf text = {0};
	autofd int dir = -1;
	struct paths paths;
	int r = paths_open(&paths, err);

	if (r < 0 || words->count > 1)
		return r < 0 ? r : change(&paths, words, err);
	r = read_rules(&paths, &dir, &text, err);
	return r < 0 ? r : show(call, buf_slice(&text), err);
}

static int run(int argc, char **argv)
{
	static const char *const changes[] = {"add", "allow", "rm"};
	struct guard_call call = {0};
	struct words words;
	struct err err;
	enum options_result result = options_parse(&options, argc, argv, &call, &words, &err);
	bool is_good = result == OPTIONS_OK && words.count == 1 && strcmp(words.items[0], "ls") == 0;

	if (result == OPTIONS_HELP)
		return 0;
	for (size_t i = 0; result == OPTIONS_OK && words.count > 1 && i < array_len(changes); i++)
		is_good = is_good || strcmp(words.items[0], changes[i]) == 0;
	if (result == OPTIONS_OK && !is_good) {
		err_set(&err, 0, "sbx guard takes 'ls', 'add PATTERN', 'allow PATTERN' or 'rm PATTERN'");
		result = OPTIONS_BAD;
	}
	if (result == OPTIONS_BAD)
		return command_misuse("guard", &err);
	return obey(&call, &words, &err) < 0 ? command_fail(&err) : 0;
}

const struct command cmd_guard = {
	.name = "guard", .summary = "say which files sandboxes must not change", .run = run};
