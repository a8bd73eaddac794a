/* Options as a table: read with getopt_long(3), unknown ones answered with the nearest good one. */
#pragma once

#include "base/err.h"

#include <stdbool.h>

enum { OPTIONS_MAX = 32, OPTION_LIST_MAX = 256 };

enum option_kind {
	OPTION_FLAG, /* bool */
	OPTION_TEXT, /* const char *, the last one counts */
	OPTION_LIST, /* struct option_list */
};

struct option_list {
	const char *items[OPTION_LIST_MAX + 1]; /* NULL-ended */
	size_t count;
};

struct option_row {
	const char *name; /* long name; a row without one ends the table */
	char letter;      /* or 0 */
	enum option_kind kind;
	size_t offset;        /* of the member in the command's struct */
	const char *argument; /* what it is called in help */
	const char *help;
};

struct options {
	const struct option_row *rows;
	const char *usage;    /* the line after "Usage: " */
	const char *text;     /* what the command does, printed under it */
	bool first_word_ends; /* what follows the first word is not ours (exec) */
};

enum options_result { OPTIONS_BAD = -1, OPTIONS_OK = 0, OPTIONS_HELP = 1 };

/* What is not an option: the words, and what follows "--". Both point into argv. */
struct words {
	char **items, **rest;
	int count, n_rest;
};

/* Fills `into` and *ret. OPTIONS_HELP: help has been printed. */
enum options_result options_parse(const struct options *options, int argc, char **argv, void *into,
				  struct words *ret, struct err *err);
