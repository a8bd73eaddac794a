/* Presets: the first rules that there are, the way back to them, and the question on first use. */
#include "cli/command.h"
#include "cli/options.h"
#include "cli/policy-files.h"
#include "cli/policy.h"

#include "base/file.h"
#include "base/log.h"
#include "supervisor/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

enum { TRIES_MAX = 3, ANSWER_BYTES = 32, NAME_BYTES = 32 };

enum { OPEN, BALANCED, LOCKED_DOWN, PRESETS };

static const struct preset {
	const char *name, *other_name, *what;
} presets[PRESETS] = {
	[OPEN] = {"open", "allow-all", "everything but private networks and this machine"},
	[BALANCED] = {"balanced", NULL, "package registries, source code, model APIs and the like"},
	[LOCKED_DOWN] = {"locked-down", "deny-all", "nothing but what you allow"},
};

static const struct preset *find_preset(const char *name)
{
	for (size_t i = 0; i < array_len(presets); i++)
		if (strcmp(name, presets[i].name) == 0 ||
		    (presets[i].other_name && strcmp(name, presets[i].other_name) == 0))
			return &presets[i];
	return NULL;
}

static int read_preset(const struct preset *preset, struct buf *ret, struct err *err)
{
	char path[PATH_ROOM_BYTES], name[NAME_BYTES];
	autofd int dir = -1;
	int r = paths_program("policies", path, err);

	if (r < 0)
		return r;
	snprintf(name, sizeof(name), "%s.policy", preset->name);
	dir = file_open_dir(AT_FDCWD, path);
	r = dir < 0 ? dir : file_read(dir, name, POLICY_TEXT_MAX_BYTES, ret);
	return r < 0 ? err_errno(err, r, "cannot read '%s/%s'", path, name) : 0;
}

static int write_preset(const struct policy_file *file, const struct preset *preset, size_t *ret_rules,
			struct err *err)
{
	auto_policy struct policy policy = {0};
	auto_buf struct buf text = {0};
	int r = read_preset(preset, &text, err);

	r = r < 0 ? r : policy_file_parse(file, buf_slice(&text), &policy, err);
	r = r < 0 ? r : policy_file_write(file, buf_slice(&text), err);
	if (r == 0)
		*ret_rules = policy.n_rules;
	return r;
}

int policy_confirm(const char *question, struct err *err)
{
	char answer[ANSWER_BYTES] = "";

	if (!isatty(STDIN_FILENO))
		return err_set(err, -EPERM, "nothing was changed: without a terminal to ask on, say --force");
	fprintf(stderr, "%s [y/N] ", question);
	if (!fgets(answer, sizeof(answer), stdin) || (answer[0] != 'y' && answer[0] != 'Y'))
		return err_set(err, -ECANCELED, "nothing was changed");
	return 0;
}

/* ---- the question of the first use ---- */

static const struct preset *read_answer(char *answer)
{
	answer[strcspn(answer, "\n")] = '\0';
	if (answer[0] == '\0')
		return &presets[BALANCED];
	if (answer[0] >= '1' && answer[0] < '1' + (int)array_len(presets) && answer[1] == '\0')
		return &presets[answer[0] - '1'];
	return find_preset(answer);
}

static int ask_preset(const struct preset **ret, struct err *err)
{
	char answer[ANSWER_BYTES];

	fputs("What may sandboxes reach on the network? Asked once; 'sbx policy' changes it.\n", stderr);
	for (size_t i = 0; i < array_len(presets); i++)
		fprintf(stderr, "  %zu  %-12s %s%s\n", i + 1, presets[i].name, presets[i].what,
			i == BALANCED ? " (default)" : "");
	for (int i = 0; i < TRIES_MAX; i++) {
		fputs("Which one? ", stderr);
		if (!fgets(answer, sizeof(answer), stdin))
			break;
		*ret = read_answer(answer);
		if (*ret)
			return 0;
	}
	return err_set(err, -ECANCELED, "no policy was chosen: 'sbx policy init balanced' does it too");
}

int policy_choose(const struct paths *paths, struct err *err)
{
	const struct preset *preset = &presets[BALANCED];
	auto_policy_file struct policy_file file = POLICY_FILE_NONE;
	bool has_terminal = isatty(STDIN_FILENO) && isatty(STDERR_FILENO);
	size_t n_rules;
	int r = policy_file_open(paths, NULL, &file, err);

	if (r < 0 || policy_file_exists(&file))
		return r;
	if (has_terminal)
		r = ask_preset(&preset, err);
	r = r < 0 ? r : policy_file_lock(&file, err);
	/* Another command may have been first. */
	if (r < 0 || policy_file_exists(&file))
		return r;
	r = write_preset(&file, preset, &n_rules, err);
	if (r < 0)
		return r;
	log_line("sandboxes reach what the policy '%s' allows: 'sbx policy ls' shows it", preset->name);
	/* What another sandbox does not hear of is no reason not to start this one. */
	if (policy_tell(paths, NULL, err) < 0)
		log_line("%s", err->text);
	return 0;
}

/* ---- init ---- */

struct init_call {
	bool is_forced;
};

static const struct option_row init_rows[] = {
	{"force", 'f', OPTION_FLAG, offsetof(struct init_call, is_forced), NULL,
	 "replace your own rules, do not ask"},
	{0},
};

static const struct options init_options = {
	.rows = init_rows,
	.usage = "sbx policy init [OPTIONS] balanced|open|locked-down",
	.text = "Begins with a preset, as the rules for all sandboxes:\n"
		"  balanced     package registries, source code, model APIs and the like\n"
		"  open         everything but private networks and this machine (also: allow-all)\n"
		"  locked-down  nothing but what you allow (also: deny-all)",
};

/* What was a preset and nothing else is no loss. */
static bool has_own_rules(const struct policy_file *file)
{
	auto_buf struct buf text = {0};

	if (!policy_file_exists(file))
		return false;
	if (policy_file_read(file, &text, NULL) < 0)
		return true;
	for (size_t i = 0; i < array_len(presets); i++) {
		auto_buf struct buf preset = {0};

		if (read_preset(&presets[i], &preset, NULL) == 0 &&
		    slice_is(buf_slice(&text), buf_text(&preset)))
			return false;
	}
	return true;
}

static int init(const struct init_call *call, const struct preset *preset, struct err *err)
{
	auto_policy_file struct policy_file file = POLICY_FILE_NONE;
	struct paths paths;
	size_t n_rules = 0;
	int r = paths_open(&paths, err);

	r = r < 0 ? r : policy_file_open(&paths, NULL, &file, err);
	if (r == 0 && !call->is_forced && has_own_rules(&file))
		r = policy_confirm("Replace the rules that you have?", err);
	r = r < 0 ? r : policy_file_lock(&file, err);
	r = r < 0 ? r : write_preset(&file, preset, &n_rules, err);
	if (r < 0)
		return r;
	printf("Policy '%s': %zu rule%s in %s\n", preset->name, n_rules, n_rules == 1 ? "" : "s", file.path);
	return policy_tell(&paths, NULL, err);
}

static int run_init(int argc, char **argv)
{
	struct init_call call = {0};
	struct words words;
	struct err err;
	enum options_result result = options_parse(&init_options, argc, argv, &call, &words, &err);
	const struct preset *preset =
		result == OPTIONS_OK && words.count == 1 ? find_preset(words.items[0]) : NULL;

	if (result == OPTIONS_HELP)
		return 0;
	if (result == OPTIONS_OK && !preset)
		err_set(&err, 0, "sbx policy init takes balanced, open or locked-down");
	if (!preset)
		return command_misuse("policy init", &err);
	return init(&call, preset, &err) < 0 ? command_fail(&err) : 0;
}

const struct policy_verb policy_init_verb = {
	.name = "init", .summary = "begin with a preset: balanced, open, locked-down", .run = run_init};

/* ---- reset ---- */

static const struct option_row reset_rows[] = {
	{"force", 'f', OPTION_FLAG, offsetof(struct init_call, is_forced), NULL, "do not ask"},
	{0},
};

static const struct options reset_options = {
	.rows = reset_rows,
	.usage = "sbx policy reset [OPTIONS]",
	.text = "Removes all rules, also those of single sandboxes. The next run asks for a preset; until "
		"then "
		"nothing\ncan be reached.",
};

static int remove_own(const struct paths *paths, const char *sandbox, struct err *err)
{
	auto_policy_file struct policy_file file = POLICY_FILE_NONE;
	int r = policy_file_open(paths, sandbox, &file, err);

	r = r < 0 ? r : policy_file_lock(&file, err);
	return r < 0 ? r : policy_file_remove(&file, err);
}

static int reset(const struct init_call *call, struct err *err)
{
	struct paths paths;
	char **names = NULL;
	int r = paths_open(&paths, err);

	if (r == 0 && !call->is_forced)
		r = policy_confirm("Remove all rules, also those of single sandboxes?", err);
	r = r < 0 ? r : sandbox_names(&paths, SHELF_SANDBOXES, &names, err);
	for (char **name = names; r == 0 && *name; name++)
		r = remove_own(&paths, *name, err);
	sandbox_names_free(names);
	r = r < 0 ? r : remove_own(&paths, NULL, err);
	if (r < 0)
		return r;
	printf("There are no rules any more, and nothing can be reached: 'sbx policy init' begins again.\n");
	return policy_tell(&paths, NULL, err);
}

static int run_reset(int argc, char **argv)
{
	struct init_call call = {0};
	struct words words;
	struct err err;
	enum options_result result = options_parse(&reset_options, argc, argv, &call, &words, &err);

	if (result == OPTIONS_HELP)
		return 0;
	if (result == OPTIONS_OK && words.count > 0) {
		err_set(&err, 0, "sbx policy reset takes no names: it removes all rules");
		result = OPTIONS_BAD;
	}
	if (result == OPTIONS_BAD)
		return command_misuse("policy reset", &err);
	return reset(&call, &err) < 0 ? command_fail(&err) : 0;
}

const struct policy_verb policy_reset = {.name = "reset", .summary = "remove all rules", .run = run_reset};
