#include "cli/command.h"
#include "cli/options.h"

#include <stdio.h>

static const struct option_row rows[] = {{0}};

static const struct options options = {
	.rows = rows, .usage = "sbx version", .text = "Prints the version of this program."};

static int run(int argc, char **argv)
{
	struct words words;
	struct err err;
	enum options_result result = options_parse(&options, argc, argv, NULL, &words, &err);

	if (result == OPTIONS_BAD)
		return command_misuse("version", &err);
	if (result == OPTIONS_OK)
		puts("sbx version " SBX_VERSION);
	return 0;
}

const struct command cmd_version = {.name = "version", .summary = "print the version", .run = run};
