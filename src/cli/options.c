#include "cli/options.h"

#include "base/text.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

enum { LETTERS_BYTES = 2 + 2 * OPTIONS_MAX + 2, HELP_VALUE = 0x1000, FIRST_VALUE = 0x1001 };

static void print_help(const struct options *options)
{
	printf("Usage: %s\n\n%s\n", options->usage, options->text);
	printf("\nOptions:\n");
	for (const struct option_row *row = options->rows; row->name; row++) {
		char left[64];
		char letter[8] = "    ";

		if (row->letter)
			snprintf(letter, sizeof(letter), "-%c, ", row->letter);
		snprintf(left, sizeof(left), "%s--%s%s%s", letter, row->name, row->argument ? " " : "",
			 row->argument ? row->argument : "");
		printf("  %-28s %s\n", left, row->help);
	}
	printf("  %-28s %s\n", "-h, --help", "show this");
}

static void build(const struct options *options, struct option *longs, char *letters)
{
	size_t count = 0;

	*letters++ = options->first_word_ends ? '+' : '-';
	*letters++ = ':';
	for (const struct option_row *row = options->rows; row->name; row++) {
		bool has_value = row->kind != OPTION_FLAG;

		longs[count] = (struct option){.name = row->name,
					       .has_arg = has_value ? required_argument : no_argument,
					       .val = FIRST_VALUE + (int)count};
		count++;
		if (row->letter) {
			*letters++ = row->letter;
			if (has_value)
				*letters++ = ':';
		}
	}
	*letters++ = 'h';
	*letters = '\0';
	longs[count] = (struct option){.name = "help", .val = HELP_VALUE};
}

static int set(const struct option_row *row, void *into, const char *value, struct err *err)
{
	void *member = (char *)into + row->offset;
	struct option_list *list;

	switch (row->kind) {
	case OPTION_FLAG:
		*(bool *)member = true;
		return 0;
	case OPTION_TEXT:
		*(const char **)member = value;
		return 0;
	case OPTION_LIST:
		list = member;
		if (list->count >= OPTION_LIST_MAX)
			return err_set(err, -E2BIG, "--%s can be given %d times at most", row->name,
				       OPTION_LIST_MAX);
		list->items[list->count++] = value;
		return 0;
	}
	return -EINVAL;
}

static int complain(const struct options *options, const char *word, struct err *err)
{
	const char *names[OPTIONS_MAX] = {NULL};
	const char *nearest = NULL;
	size_t count = 0;
	char bare[64];

	for (const struct option_row *row = options->rows; row->name; row++)
		names[count++] = row->name;
	if (strncmp(word, "--", 2) == 0) {
		snprintf(bare, sizeof(bare), "%.*s", (int)strcspn(word + 2, "="), word + 2);
		nearest = text_nearest(bare, names);
	}
	if (nearest)
		return err_set(err, -EINVAL, "unknown option '%s': did you mean '--%s'?", word, nearest);
	return err_set(err, -EINVAL, "unknown option '%s'", word);
}

static const struct option_row *row_of(const struct options *options, int value)
{
	if (value >= FIRST_VALUE)
		return &options->rows[value - FIRST_VALUE];
	for (const struct option_row *row = options->rows; row->name; row++)
		if (row->letter == value)
			return row;
	return NULL;
}

/* The word that getopt_long stumbled over: a letter inside a group, or the word itself. */
static const char *stumbled(char **argv, char spelled[4])
{
	if (optopt > 0 && optopt < HELP_VALUE) {
		snprintf(spelled, 4, "-%c", optopt);
		return spelled;
	}
	return argv[optind - 1];
}

static int take(const struct options *options, int value, char **argv, void *into, struct err *err)
{
	const struct option_row *row;
	char spelled[4];

	if (value == ':')
		return err_set(err, -EINVAL, "option '%s' needs a value", stumbled(argv, spelled));
	row = value == '?' ? NULL : row_of(options, value);
	return row ? set(row, into, optarg, err) : complain(options, stumbled(argv, spelled), err);
}

enum options_result options_parse(const struct options *options, int argc, char **argv, void *into,
				  struct words *ret, struct err *err)
{
	struct option longs[OPTIONS_MAX + 2] = {0};
	char letters[LETTERS_BYTES];
	int count = 0, value;

	build(options, longs, letters);
	optind = 0;
	opterr = 0;
	while ((value = getopt_long(argc, argv, letters, longs, NULL)) != -1) {
		if (value == 'h' || value == HELP_VALUE) {
			print_help(options);
			return OPTIONS_HELP;
		}
		/* Words gather in front, where getopt_long has been already. */
		if (value == 1)
			argv[1 + count++] = optarg;
		else if (take(options, value, argv, into, err) < 0)
			return OPTIONS_BAD;
	}
	if (options->first_word_ends)
		*ret = (struct words){.items = argv + optind, .count = argc - optind};
	else
		*ret = (struct words){
			.items = argv + 1, .count = count, .rest = argv + optind, .n_rest = argc - optind};
	return OPTIONS_OK;
}
