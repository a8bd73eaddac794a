/* allow, deny, rm: rules by command. Each one that was typed is shown as the line that it has become. */
#include "cli/command.h"
#include "cli/options.h"
#include "cli/policy-files.h"
#include "cli/policy-text.h"
#include "cli/policy.h"

#include "base/log.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { RULES_MAX = 256 };

struct edit_call {
	const char *sandbox, *methods, *path;
	bool is_tcp, is_private;
};

#define SANDBOX_ROW                                                                     \
	{                                                                               \
		"sandbox", 0, OPTION_TEXT, offsetof(struct edit_call, sandbox), "NAME", \
			"for this sandbox only"                                         \
	}
#define METHOD_ROW                                                                    \
	{                                                                             \
		"method", 0, OPTION_TEXT, offsetof(struct edit_call, methods), "A,B", \
			"only these HTTP methods"                                     \
	}
#define PATH_ROW                                                                     \
	{                                                                            \
		"path", 0, OPTION_TEXT, offsetof(struct edit_call, path), "PATTERN", \
			"only these paths: '*' is one segment, '**' any number"      \
	}

static const struct option_row allow_rows[] = {
	SANDBOX_ROW,
	{"tcp", 0, OPTION_FLAG, offsetof(struct edit_call, is_tcp), NULL,
	 "other protocols than HTTP and TLS too; needs a port"},
	{"private", 0, OPTION_FLAG, offsetof(struct edit_call, is_private), NULL,
	 "the name may lead to a private network"},
	METHOD_ROW,
	PATH_ROW,
	{0},
};

static const struct option_row deny_rows[] = {SANDBOX_ROW, METHOD_ROW, PATH_ROW, {0}};
static const struct option_row rm_rows[] = {SANDBOX_ROW, {0}};

#define HOSTS_TEXT                                                                                           \
	"HOST is example.com, *.example.com (one label), **.example.com (any number), ** (every host), an\n" \
	"address or a network such as 10.0.0.0/8; with a port or without: example.com:8443. "                \
	"'localhost:PORT'\n"                                                                                 \
	"is this machine. Several may be joined by commas."

static const struct options allow_options = {
	.rows = allow_rows,
	.usage = "sbx policy allow network [OPTIONS] HOST...",
	.text = "Lets sandboxes reach hosts, by HTTP and TLS on ports 80 and 443 unless told "
		"otherwise.\n" HOSTS_TEXT,
};

static const struct options deny_options = {
	.rows = deny_rows,
	.usage = "sbx policy deny network [OPTIONS] HOST...",
	.text = "Denies hosts whatever allows them, on all ports where none is named.\n" HOSTS_TEXT,
};

static const struct options rm_options = {
	.rows = rm_rows,
	.usage = "sbx policy rm network [OPTIONS] HOST...",
	.text = "Removes the rules for hosts, as 'sbx policy ls' shows them; without a port those of every "
		"port.",
};

/* What the words have become. */
struct rules {
	struct policy_rule *items; /* owned, RULES_MAX of them */
	size_t count;
};

static void rules_done(struct rules *rules)
{
	while (rules->count > 0)
		rule_done(&rules->items[--rules->count]);
	free(rules->items);
}
#define auto_rules __attribute__((cleanup(rules_done)))

/* A word is one word of the line: a blank in it would begin the next. */
static bool is_one_word(struct slice text)
{
	for (size_t i = 0; i < text.len; i++)
		if ((unsigned char)text.ptr[i] <= ' ')
			return false;
	return text.len > 0 && text.ptr[0] != '#';
}

static int check_words(const struct edit_call *call, struct slice host, struct err *err)
{
	if (!is_one_word(host))
		return err_set(err, -EINVAL, "'%.*s' is not a host", (int)host.len, host.ptr);
	if ((call->methods && !is_one_word(slice_text(call->methods))) ||
	    (call->path && !is_one_word(slice_text(call->path))))
		return err_set(err, -EINVAL, "methods and paths have no blanks");
	return 0;
}

/* Methods are capitals whoever types them. */
static int append_methods(const char *methods, struct buf *line)
{
	char *space = buf_space(line, strlen(methods));

	if (!space)
		return -ENOMEM;
	for (size_t i = 0; methods[i] != '\0'; i++)
		space[i] = (char)toupper((unsigned char)methods[i]);
	buf_grow(line, strlen(methods));
	return 0;
}

static int format_rule(const struct edit_call *call, const char *verb, struct slice host, struct buf *line)
{
	int r = buf_printf(line, "%s %.*s%s%s%s", verb, (int)host.len, host.ptr, call->is_tcp ? " tcp" : "",
			   call->is_private ? " private" : "", call->methods ? " method=" : "");

	if (r == 0 && call->methods)
		r = append_methods(call->methods, line);
	return r == 0 && call->path ? buf_printf(line, " path=%s", call->path) : r;
}

static int add_rule(const struct edit_call *call, const char *verb, struct slice host, struct rules *rules,
		    struct err *err)
{
	auto_buf struct buf line = {0};
	int r = check_words(call, host, err);

	if (r == 0 && rules->count == RULES_MAX)
		r = err_set(err, -E2BIG, "more than %d hosts at once", RULES_MAX);
	if (r == 0 && format_rule(call, verb, host, &line) < 0)
		r = err_errno(err, -ENOMEM, "cannot make the rule");
	r = r < 0 ? r : rule_parse(buf_slice(&line), &rules->items[rules->count], err);
	rules->count += r == 0;
	return r;
}

static int read_words(const struct edit_call *call, const char *verb, const struct words *words,
		      struct rules *ret, struct err *err)
{
	int r = 0;

	ret->items = calloc(RULES_MAX, sizeof(*ret->items));
	if (!ret->items)
		return err_errno(err, -ENOMEM, "cannot make the rules");
	for (int i = 1; r == 0 && i < words->count; i++) {
		const char *at = words->items[i];

		for (;;) {
			size_t len = strcspn(at, ",");

			r = add_rule(call, verb, slice_of(at, len), ret, err);
			if (r < 0 || at[len] == '\0')
				break;
			at += len + 1;
		}
	}
	return r;
}

/* ---- changing a file ---- */

/* Opens and locks it; gives its text, which is good. */
static int begin(const struct paths *paths, const char *sandbox, struct policy_file *file, struct buf *text,
		 struct err *err)
{
	auto_policy struct policy policy = {0};
	int r = sandbox ? 0 : policy_choose(paths, err);

	r = r < 0 ? r : policy_file_open(paths, sandbox, file, err);
	r = r < 0 ? r : policy_file_lock(file, err);
	r = r < 0 ? r : policy_file_read(file, text, err);
	return r < 0 ? r : policy_file_parse(file, buf_slice(text), &policy, err);
}

/* What is wrong with the rules for all sandboxes is none of this text's business; how many there are is. */
static void add_global(const struct paths *paths, struct policy_file *file, struct policy *policy)
{
	auto_buf struct buf text = {0};
	struct err err;

	if (policy_file_open(paths, NULL, file, &err) == 0 && policy_file_read(file, &text, &err) == 0)
		(void)policy_file_parse(file, buf_slice(&text), policy, &err);
}

/* The limits are those of a whole text, and of both layers. */
static int finish(const struct paths *paths, const struct policy_file *file, struct slice text,
		  struct err *err)
{
	auto_policy_file struct policy_file global = POLICY_FILE_NONE;
	auto_policy struct policy policy = {0};
	int r;

	if (file->sandbox)
		add_global(paths, &global, &policy);
	r = policy_file_parse(file, text, &policy, err);
	r = r < 0 ? r : policy_file_write(file, text, err);
	return r < 0 ? r : policy_tell(paths, file->sandbox, err);
}

static void say_no_effect(const struct policy_rule *rule, const struct judgement *judgement)
{
	if (judgement->verdict == VERDICT_ALLOW)
		log_line("all of %s is allowed by '%s' (%s, line %u): without that the new rule would be a "
			 "limit",
			 rule->host, judgement->rule, judgement->source, judgement->line);
	else
		log_line("%s stays denied: '%s' (%s, line %u) beats it", rule->host, judgement->rule,
			 judgement->source, judgement->line);
}

/* A rule that allows one host, or a part of it, and has no effect is said to have none. */
static void check_effect(const struct policy_all *all, const struct policy_rule *rule)
{
	bool is_part = rule->methods || rule->path;
	struct host host;
	struct policy_request request = {.host = &host,
					 .port = rule->first_port > 0 && !rule->is_web ? rule->first_port
										       : rule->last_port,
					 .protocol = rule->is_tcp ? POLICY_TCP : POLICY_TLS};
	struct judgement judgement;

	if (rule->verb != RULE_ALLOW || rule->target != TARGET_NAME ||
	    host_parse(slice_text(rule->host), &host) < 0)
		return;
	policy_judge(&all->policy, &request, &judgement);
	if (!judgement.needs_inside && judgement.rule && (is_part || judgement.verdict == VERDICT_DENY))
		say_no_effect(rule, &judgement);
}

static int add_all(const struct edit_call *call, const struct rules *rules, struct err *err)
{
	auto_policy_all struct policy_all all = POLICY_ALL_NONE;
	auto_policy_file struct policy_file file = POLICY_FILE_NONE;
	auto_buf struct buf text = {0};
	struct paths paths;
	int r = paths_open(&paths, err);

	r = r < 0 ? r : begin(&paths, call->sandbox, &file, &text, err);
	for (size_t i = 0; r >= 0 && i < rules->count; i++) {
		r = policy_text_add(&text, &rules->items[i]);
		if (r > 0)
			log_line("'%s' is there already", rules->items[i].text);
	}
	if (r == -ENOMEM)
		err_errno(err, r, "cannot change the rules");
	r = r < 0 ? r : finish(&paths, &file, buf_slice(&text), err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < rules->count; i++)
		printf("%s\n", rules->items[i].text);
	if (policy_all_load(&paths, call->sandbox, &all, NULL) == 0)
		for (size_t i = 0; i < rules->count; i++)
			check_effect(&all, &rules->items[i]);
	return 0;
}

/* All of them or none. */
static int remove_all(const struct edit_call *call, const struct rules *rules, struct err *err)
{
	auto_policy_file struct policy_file file = POLICY_FILE_NONE;
	auto_buf struct buf text = {0}, removed = {0};
	struct paths paths;
	int r = paths_open(&paths, err);

	r = r < 0 ? r : begin(&paths, call->sandbox, &file, &text, err);
	for (size_t i = 0; r >= 0 && i < rules->count; i++) {
		struct slice target = rule_target(&rules->items[i]);
		struct buf left = {0};

		r = policy_text_remove(buf_slice(&text), &rules->items[i], &left, &removed);
		buf_done(&text);
		text = left;
		if (r == 0)
			r = err_set(err, -ENOENT,
				    "there is no rule for '%.*s' (%s): 'sbx policy ls' shows what there is",
				    (int)target.len, target.ptr, file.source);
		else if (r < 0)
			err_errno(err, r, "cannot change the rules");
	}
	r = r < 0 ? r : finish(&paths, &file, buf_slice(&text), err);
	if (r == 0)
		fputs(buf_text(&removed), stdout);
	return r;
}

/* ---- the verbs ---- */

static int edit(int argc, char **argv, const char *verb, const struct options *options,
		int (*change)(const struct edit_call *call, const struct rules *rules, struct err *err))
{
	auto_rules struct rules rules = {.count = 0};
	struct edit_call call = {0};
	char name[32];
	struct words words;
	struct err err;
	enum options_result result = options_parse(options, argc, argv, &call, &words, &err);

	if (result == OPTIONS_HELP)
		return 0;
	snprintf(name, sizeof(name), "policy %s", argv[0]);
	if (result == OPTIONS_OK && (words.count < 2 || strcmp(words.items[0], "network") != 0)) {
		err_set(&err, 0, "sbx %s takes 'network' and the hosts", name);
		result = OPTIONS_BAD;
	}
	if (result == OPTIONS_BAD || read_words(&call, verb, &words, &rules, &err) < 0)
		return command_misuse(name, &err);
	return change(&call, &rules, &err) < 0 ? command_fail(&err) : 0;
}

static int run_allow(int argc, char **argv)
{
	return edit(argc, argv, "allow", &allow_options, add_all);
}

static int run_deny(int argc, char **argv)
{
	return edit(argc, argv, "deny", &deny_options, add_all);
}

/* Hosts are read as in a rule that any host may have. */
static int run_rm(int argc, char **argv)
{
	return edit(argc, argv, "deny", &rm_options, remove_all);
}

const struct policy_verb policy_allow = {
	.name = "allow", .summary = "let sandboxes reach hosts", .run = run_allow};
const struct policy_verb policy_deny = {
	.name = "deny", .summary = "deny hosts, whatever allows them", .run = run_deny};
const struct policy_verb policy_rm = {.name = "rm", .summary = "remove the rules for hosts", .run = run_rm};
