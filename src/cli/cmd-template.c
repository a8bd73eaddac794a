#include "cli/command.h"
#include "cli/create.h"
#include "cli/options.h"
#include "cli/template.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const struct option_row rows[] = {{0}};

static const struct options options = {
	.rows = rows,
	.usage = "sbx template build|verify [NAME]",
	.text = "build   builds the template (default 'base') anew, and what sandboxes start from; those "
		"that run\n"
		"        keep the one they have\n"
		"verify  reads all of it and compares it with its digests",
};

static int verify(const struct paths *paths, const char *name, struct err *err)
{
	int r = template_verify(paths, name, err);

	if (r == 0)
		printf("The template '%s' is whole.\n", name);
	return r;
}

static int run(int argc, char **argv)
{
	struct paths paths;
	struct words words;
	struct err err;
	enum options_result result = options_parse(&options, argc, argv, NULL, &words, &err);
	const char *name;
	int r;

	if (result == OPTIONS_HELP)
		return 0;
	if (result == OPTIONS_OK && (words.count < 1 || words.count > 2)) {
		err_set(&err, 0, "sbx template takes 'build' or 'verify'");
		result = OPTIONS_BAD;
	}
	if (result == OPTIONS_BAD)
		return command_misuse("template", &err);
	name = words.count == 2 ? words.items[1] : "base";
	if (paths_open(&paths, &err) < 0)
		return command_fail(&err);
	if (strcmp(words.items[0], "build") == 0) {
		r = template_make(&paths, name, &err);
		r = r < 0 ? r : create_prepare(&paths, name, &err);
	} else if (strcmp(words.items[0], "verify") == 0) {
		r = verify(&paths, name, &err);
	} else {
		err_set(&err, 0, "sbx template has no '%s'", words.items[0]);
		return command_misuse("template", &err);
	}
	return r < 0 ? command_fail(&err) : 0;
}

const struct command cmd_template = {
	.name = "template", .summary = "build and check what sandboxes start from", .run = run};
