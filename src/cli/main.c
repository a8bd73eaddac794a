/* sbx COMMAND: finds the command and runs it. */
#include "cli/command.h"

#include "base/log.h"
#include "base/text.h"

#include <signal.h>
#include <stdio.h>

enum { COMMANDS_MAX = 64 };

int command_fail(const struct err *err)
{
	log_line("%s", err->text);
	return EXIT_FAILED;
}

int command_misuse(const char *command, const struct err *err)
{
	log_line("%s", err->text);
	log_line("'sbx %s%s--help' shows how it is used", command, *command ? " " : "");
	return EXIT_USAGE;
}

static int print_help(FILE *into)
{
	fputs("Usage: sbx COMMAND [OPTIONS]\n\n"
	      "Runs coding agents, each in a microVM of its own.\n\nCommands:\n",
	      into);
	for (const struct command *const *command = commands; *command; command++)
		fprintf(into, "  %-10s %s\n", (*command)->name, (*command)->summary);
	fputs("\n'sbx COMMAND --help' tells more about each.\n", into);
	return 0;
}

static const struct command *find(const char *name)
{
	for (const struct command *const *command = commands; *command; command++)
		if (strcmp((*command)->name, name) == 0 ||
		    ((*command)->other_name && strcmp((*command)->other_name, name) == 0))
			return *command;
	return NULL;
}

static int unknown(const char *name)
{
	const char *names[COMMANDS_MAX] = {NULL};
	struct err err;
	const char *nearest;

	for (size_t i = 0; commands[i] && i + 1 < COMMANDS_MAX; i++)
		names[i] = commands[i]->name;
	nearest = text_nearest(name, names);
	if (nearest)
		err_set(&err, 0, "there is no command '%s': did you mean '%s'?", name, nearest);
	else
		err_set(&err, 0, "there is no command '%s'", name);
	return command_misuse("", &err);
}

int main(int argc, char **argv)
{
	const struct command *command;

	log_open("sbx");
	/* A reader that goes away ends us like any other program, but not in the middle of a conversation
	 * with a sandbox. */
	signal(SIGPIPE, SIG_IGN);
	if (argc < 2) {
		print_help(stderr);
		return EXIT_USAGE;
	}
	if (strcmp(argv[1], "--version") == 0)
		return cmd_version.run(1, argv + 1);
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0) {
		char dashed[] = "--help";
		char *help[] = {argc > 2 ? argv[2] : NULL, dashed, NULL};

		command = argc > 2 ? find(argv[2]) : NULL;
		return command ? command->run(2, help) : print_help(stdout);
	}
	command = find(argv[1]);
	return command ? command->run(argc - 1, argv + 1) : unknown(argv[1]);
}
