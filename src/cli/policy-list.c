/* ls, apply: the rules as they are. */
#include "cli/command.h"
#include "cli/options.h"
#include "cli/policy-files.h"
#include "cli/policy.h"

#include "policy/rule.h"
#include "supervisor/sandbox.h"

#include <jansson.h>
#include <stdio.h>

/* ---- ls ---- */

struct ls_call {
	bool is_json;
};

static const struct option_row ls_rows[] = {
	{"json", 0, OPTION_FLAG, offsetof(struct ls_call, is_json), NULL, "print JSON"},
	{0},
};

static const struct options ls_options = {
	.rows = ls_rows,
	.usage = "sbx policy ls [OPTIONS] [SANDBOX]",
	.text = "Lists the rules for all sandboxes, and those of each one or of SANDBOX.",
};

static json_t *rule_json(const struct policy_rule *rule, const char *sandbox)
{
	static const char *const verbs[] = {
		[RULE_ALLOW] = "allow", [RULE_DENY] = "deny", [RULE_INSPECT] = "inspect"};
	struct slice target = rule_target(rule);

	return json_pack("{s:s, s:s?, s:i, s:s, s:s, s:s%}", "scope", sandbox ? "sandbox" : "global",
			 "sandbox", sandbox, "line", (int)rule->line, "rule", rule->text, "decision",
			 verbs[rule->verb], "host", target.ptr, target.len);
}

static int list_one(const struct paths *paths, const char *sandbox, json_t *array, struct err *err)
{
	auto_policy_file struct policy_file file = POLICY_FILE_NONE;
	auto_policy struct policy policy = {0};
	auto_buf struct buf text = {0};
	int r = policy_file_open(paths, sandbox, &file, err);

	r = r < 0 ? r : policy_file_read(&file, &text, err);
	r = r < 0 ? r : policy_file_parse(&file, buf_slice(&text), &policy, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < policy.n_rules; i++) {
		const struct policy_rule *rule = &policy.rules[i];

		if (array)
			json_array_append_new(array, rule_json(rule, sandbox));
		else
			printf("%-20s  %4u  %s\n", sandbox ? sandbox : "(all)", rule->line, rule->text);
	}
	if (!array && !sandbox && !policy_file_exists(&file))
		fputs("There are no rules for all sandboxes yet: the first run asks, or 'sbx policy init'.\n",
		      stderr);
	return 0;
}

static int list(const struct ls_call *call, const char *sandbox, struct err *err)
{
	json_t *array = call->is_json ? json_array() : NULL;
	char **names = NULL;
	struct paths paths;
	int r = paths_open(&paths, err);

	if (r == 0 && !array)
		printf("%-20s  %4s  %s\n", "SANDBOX", "LINE", "RULE");
	r = r < 0 ? r : list_one(&paths, NULL, array, err);
	if (r == 0 && sandbox)
		r = list_one(&paths, sandbox, array, err);
	else if (r == 0)
		r = sandbox_names(&paths, SHELF_SANDBOXES, &names, err);
	for (char **name = names; r == 0 && name && *name; name++)
		r = list_one(&paths, *name, array, err);
	sandbox_names_free(names);
	if (r == 0 && array) {
		json_dumpf(array, stdout, JSON_INDENT(2));
		putchar('\n');
	}
	json_decref(array);
	return r;
}

static int run_ls(int argc, char **argv)
{
	struct ls_call call = {0};
	struct words words;
	struct err err;
	enum options_result result = options_parse(&ls_options, argc, argv, &call, &words, &err);

	if (result == OPTIONS_HELP)
		return 0;
	if (result == OPTIONS_OK && words.count > 1) {
		err_set(&err, 0, "sbx policy ls takes the name of one sandbox, or none");
		result = OPTIONS_BAD;
	}
	if (result == OPTIONS_BAD)
		return command_misuse("policy ls", &err);
	return list(&call, words.count == 1 ? words.items[0] : NULL, &err) < 0 ? command_fail(&err) : 0;
}

const struct policy_verb policy_ls = {.name = "ls", .summary = "list the rules", .run = run_ls};

/* ---- apply ---- */

static const struct option_row apply_rows[] = {{0}};

static const struct options apply_options = {
	.rows = apply_rows,
	.usage = "sbx policy apply",
	.text = "Reads the rules after an edit by hand, names a line that makes no sense, and otherwise "
		"tells the\n"
		"sandboxes that run.",
};

static int apply(struct err *err)
{
	struct paths paths;
	char **names = NULL;
	int r = paths_open(&paths, err);

	r = r < 0 ? r : sandbox_names(&paths, SHELF_SANDBOXES, &names, err);
	for (char **name = names; r == 0 && *name; name++) {
		auto_policy_all struct policy_all all = POLICY_ALL_NONE;

		r = policy_all_load(&paths, *name, &all, err);
	}
	sandbox_names_free(names);
	if (r == 0) {
		auto_policy_all struct policy_all all = POLICY_ALL_NONE;

		r = policy_all_load(&paths, NULL, &all, err);
	}
	return r < 0 ? r : policy_tell(&paths, NULL, err);
}

static int run_apply(int argc, char **argv)
{
	struct words words;
	struct err err;
	enum options_result result = options_parse(&apply_options, argc, argv, NULL, &words, &err);

	if (result == OPTIONS_HELP)
		return 0;
	if (result == OPTIONS_OK && words.count > 0) {
		err_set(&err, 0, "sbx policy apply takes no names");
		result = OPTIONS_BAD;
	}
	if (result == OPTIONS_BAD)
		return command_misuse("policy apply", &err);
	return apply(&err) < 0 ? command_fail(&err) : 0;
}

const struct policy_verb policy_apply = {
	.name = "apply", .summary = "take what was edited by hand", .run = run_apply};
