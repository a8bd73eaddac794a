#include "cli/command.h"
#include "cli/policy.h"

#include "base/text.h"

#include <stdio.h>
#include <string.h>

static const struct policy_verb *const verbs[] = {
	&policy_init_verb, &policy_allow, &policy_deny, &policy_rm,    &policy_ls,
	&policy_check,     &policy_apply, &policy_log,  &policy_reset,
};

static int help(FILE *into)
{
	fputs("Usage: sbx policy VERB [OPTIONS]\n\nSays what sandboxes may reach. What no rule allows is "
	      "denied, and "
	      "deny beats allow.\n\nVerbs:\n",
	      into);
	for (size_t i = 0; i < array_len(verbs); i++)
		fprintf(into, "  %-6s %s\n", verbs[i]->name, verbs[i]->summary);
	fputs("\n'sbx policy VERB --help' tells more about each; sbx-policy(5) describes the rules.\n", into);
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
		err_set(&err, 0, "sbx policy has no '%s': did you mean '%s'?", name, nearest);
	else
		err_set(&err, 0, "sbx policy has no '%s'", name);
	return command_misuse("policy", &err);
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

const struct command cmd_policy = {
	.name = "policy", .summary = "say what sandboxes may reach, and see what they did", .run = run};
