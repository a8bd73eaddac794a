/* What a person sets for all sandboxes, in one text file. Those that run hear of a change by themselves. */
#include "cli/command.h"
#include "cli/options.h"

#include "base/file.h"
#include "base/settings.h"
#include "base/text.h"
#include "policy/redirect.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>

static int check_resolve(const char *value, struct err *err)
{
	struct redirects redirects;

	return redirects_parse(slice_text(value), &redirects, err);
}

static const struct setting {
	const char *key, *what;
	int (*check)(const char *value, struct err *err);
} settings[] = {
	{"network.resolve", "NAME:PORT=ADDRESS:PORT,...: sends names that the policy allows there instead",
	 check_resolve},
};

struct settings_call {
	bool is_json;
};

static const struct option_row rows[] = {
	{"json", 0, OPTION_FLAG, offsetof(struct settings_call, is_json), NULL, "print JSON (ls)"},
	{0},
};

static const struct options options = {
	.rows = rows,
	.usage = "sbx settings ls [--json] | get KEY | set KEY VALUE | unset KEY",
	.text = "What counts for all sandboxes, at once for those that run:\n"
		"  network.resolve  NAME:PORT=ADDRESS:PORT, several with commas: connections to the name, if "
		"the\n"
		"                   policy allows them, go to that address of this machine's network instead",
};

static const struct setting *find(const char *key, struct err *err)
{
	const char *names[array_len(settings) + 1] = {NULL};
	const char *nearest;

	for (size_t i = 0; i < array_len(settings); i++) {
		if (strcmp(settings[i].key, key) == 0)
			return &settings[i];
		names[i] = settings[i].key;
	}
	nearest = text_nearest(key, names);
	if (nearest)
		err_set(err, -ENOENT, "there is no setting '%s': did you mean '%s'?", key, nearest);
	else
		err_set(err, -ENOENT, "there is no setting '%s': 'sbx settings ls' shows them", key);
	return NULL;
}

static int read_text(const struct paths *paths, int dir, struct buf *ret, struct err *err)
{
	int r = file_read(dir, SETTINGS_FILE_NAME, SETTINGS_MAX_BYTES, ret);

	return r < 0 && r != -ENOENT
		       ? err_errno(err, r, "cannot read '%s/" SETTINGS_FILE_NAME "'", paths->config)
		       : 0;
}

static void print_value(struct slice value)
{
	auto_buf struct buf shown = {0};

	if (text_printable(&shown, value, false) == 0)
		printf("%s\n", buf_text(&shown));
}

static int list(struct slice text, bool is_json, struct err *err)
{
	json_t *all = json_object();

	for (size_t i = 0; i < array_len(settings); i++) {
		struct slice value = settings_get(text, settings[i].key);

		if (is_json) {
			json_object_set_new(all, settings[i].key,
					    value.len > 0 ? json_stringn(value.ptr, value.len) : json_null());
		} else if (value.len > 0) {
			printf("%s ", settings[i].key);
			print_value(value);
		} else {
			printf("# %s %s\n", settings[i].key, settings[i].what);
		}
	}
	if (is_json && json_dumpf(all, stdout, JSON_INDENT(2)) == 0)
		putchar('\n');
	json_decref(all);
	return fflush(stdout) == 0 ? 0 : err_errno(err, -errno, "cannot print the settings");
}

static int get(const struct setting *setting, struct slice text, struct err *err)
{
	struct slice value = settings_get(text, setting->key);

	if (value.len == 0)
		return err_set(err, -ENOENT, "'%s' is not set", setting->key);
	print_value(value);
	return 0;
}

static int change(const struct paths *paths, const struct setting *setting, const char *value,
		  struct err *err)
{
	auto_buf struct buf before = {0}, after = {0};
	autofd int dir = file_open_dir(AT_FDCWD, paths->config);
	int r = dir < 0 ? err_errno(err, dir, "cannot open '%s'", paths->config) : 0;

	if (value && !text_is_line(value))
		return err_set(err, -EINVAL, "a value is one line of text");
	if (r == 0 && value)
		r = setting->check(value, err);
	if (r < 0)
		return err_add(err, r, "%s", setting->key);
	if (flock(dir, LOCK_EX | LOCK_NB) < 0)
		return err_set(err, -EBUSY, "another command changes the settings: try again in a moment");
	r = read_text(paths, dir, &before, err);
	if (r < 0)
		return r;
	r = settings_set(buf_slice(&before), setting->key, value, &after);
	if (r < 0)
		return err_errno(err, r, "cannot change the settings");
	return file_write_atomic(dir, SETTINGS_FILE_NAME, 0600, buf_slice(&after), err);
}

static int obey(const struct settings_call *call, const struct words *words, struct err *err)
{
	const char *verb = words->items[0];
	const struct setting *setting = words->count > 1 ? find(words->items[1], err) : NULL;
	auto_buf struct buf text = {0};
	autofd int dir = -1;
	struct paths paths;
	int r = words->count > 1 && !setting ? -ENOENT : paths_open(&paths, err);

	if (r < 0)
		return r;
	if (setting && (strcmp(verb, "set") == 0 || strcmp(verb, "unset") == 0))
		return change(&paths, setting, words->count == 3 ? words->items[2] : NULL, err);
	dir = file_open_dir(AT_FDCWD, paths.config);
	r = dir < 0 ? err_errno(err, dir, "cannot open '%s'", paths.config)
		    : read_text(&paths, dir, &text, err);
	if (r < 0)
		return r;
	return setting ? get(setting, buf_slice(&text), err) : list(buf_slice(&text), call->is_json, err);
}

static int run(int argc, char **argv)
{
	static const struct {
		const char *name;
		int n_words;
	} verbs[] = {{"ls", 1}, {"list", 1}, {"get", 2}, {"set", 3}, {"unset", 2}};
	struct settings_call call = {0};
	struct words words;
	struct err err;
	enum options_result result = options_parse(&options, argc, argv, &call, &words, &err);
	bool is_good = false;

	if (result == OPTIONS_HELP)
		return 0;
	for (size_t i = 0; result == OPTIONS_OK && words.count > 0 && i < array_len(verbs); i++)
		is_good = is_good ||
			  (strcmp(words.items[0], verbs[i].name) == 0 && words.count == verbs[i].n_words);
	if (result == OPTIONS_OK && !is_good) {
		err_set(&err, 0, "sbx settings takes 'ls', 'get KEY', 'set KEY VALUE' or 'unset KEY'");
		result = OPTIONS_BAD;
	}
	if (result == OPTIONS_BAD)
		return command_misuse("settings", &err);
	return obey(&call, &words, &err) < 0 ? command_fail(&err) : 0;
}

const struct command cmd_settings = {
	.name = "settings", .summary = "settings that count for all sandboxes", .run = run};
