#include "cli/cache.h"
#include "cli/command.h"
#include "cli/options.h"

#include "base/text.h"

#include <stddef.h>
#include <stdio.h>

struct prune_call {
	bool is_all;
};

static const struct option_row rows[] = {
	{"all", 'a', OPTION_FLAG, offsetof(struct prune_call, is_all), NULL,
	 "also what the next new sandbox would start from"},
	{0},
};

static const struct options options = {
	.rows = rows,
	.usage = "sbx prune [OPTIONS]",
	.text = "Frees space: removes what can be made again and is not in use. Sandboxes, snapshots and "
		"templates\n"
		"stay. $SBX_CACHE_LIMIT (default 16g) bounds this by itself.",
};

static int run(int argc, char **argv)
{
	struct prune_call call = {0};
	char freed[TEXT_SHORT_BYTES];
	uint64_t bytes = 0;
	struct paths paths;
	struct words words;
	struct err err;
	enum options_result result = options_parse(&options, argc, argv, &call, &words, &err);

	if (result == OPTIONS_HELP)
		return 0;
	if (result == OPTIONS_OK && words.count > 0) {
		err_set(&err, 0, "sbx prune takes no names");
		result = OPTIONS_BAD;
	}
	if (result == OPTIONS_BAD)
		return command_misuse("prune", &err);
	if (paths_open(&paths, &err) < 0 || cache_prune(&paths, call.is_all, &bytes, &err) < 0)
		return command_fail(&err);
	text_format_bytes(bytes, freed);
	printf("Removed %s.\n", freed);
	return 0;
}

const struct command cmd_prune = {.name = "prune", .summary = "free space in the cache", .run = run};
