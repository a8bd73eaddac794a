/*
 * Shows how far something long is, on standard error as a rule: one line that is drawn over on a terminal,
 * and elsewhere one plain line for each thing that is begun.
 */
#pragma once

#include "base/buf.h"

#include <stdint.h>

enum { BAR_WHAT_BYTES = 160 };

struct bar_state {
	const char *what;                               /* borrowed; made printable before it is shown */
	double fraction;                                /* 0 to 1 */
	uint64_t bytes, bytes_wanted, bytes_per_second; /* of a download; 0 where nothing is downloaded */
};

struct bar {
	int fd; /* borrowed */
	bool is_terminal, is_drawn;
	char what[BAR_WHAT_BYTES]; /* what the last plain line said */
};

void bar_open(struct bar *bar, int fd);
void bar_draw(struct bar *bar, const struct bar_state *state);

/* Takes the line off the terminal, so that what is printed next begins at its start. */
void bar_close(struct bar *bar);

/* Appends the line as it looks on a terminal of that many columns, without control characters. Pure. */
int bar_render(struct buf *into, const struct bar_state *state, unsigned int columns);
