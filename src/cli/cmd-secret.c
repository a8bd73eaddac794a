#include "cli/command.h"
#include "cli/secret.h"

#include "base/text.h"

#include <stdio.h>
#include <string.h>

static const struct secret_verb *const verbs[] = {
	&secret_set_verb, &secret_set_custom, &secret_import, &secret_ls, &secret_rm,
};

static int help(FILE *into)
{
	fputs("Usage: sbx secret VERB [OPTIONS]\n\nKeeps keys and tokens. Sandboxes see placeholders; "
	      "requests to the "
	      "service's own hosts get\nthe real one on their way out.\n\nVerbs:\n",
	      into);
	for (size_t i = 0; i < array_len(verbs); i++)
		fprintf(into, "  %-10s %s\n", verbs[i]->name, verbs[i]->summary);
	fputs("\n'sbx secret VERB --help' tells more about each.\n", into);
	return into == stderr ? EXIT_USAGE : 0;
}

static int unknown(const char *name)
{
	const char *names[array_len(verbs) + 1] = {NULL}, *nearest;
	struct err err;

	for (size_t i = 0; i < array_len(verbs); i++)
		names[i] = verbs[i]->name;
	nearest = text_nearest(name, names);
	if (nearest)
		err_set(&err, 0, "sbx secret has no '%s': did you mean '%s'?", name, nearest);
	else
		err_set(&err, 0, "sbx secret has no '%s'", name);
	return command_misuse("secret", &err);
}

static int run(int argc, char **argv)
{
	if (argc < 2)
		return help(stderr);
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
		return help(stdout);
	for (size_t i = 0; i < array_len(verbs); i++)
		if (strcmp(argv[1], verbs[i]->name) == 0)
			return verbs[i]->run(argc - 1, argv + 1);
	return unknown(argv[1]);
}

const struct command cmd_secret = {.name = "secret",
				   .other_name = "secrets",
				   .summary = "keep keys that sandboxes can use and not see",
				   .run = run};
