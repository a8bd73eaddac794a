/* The last bytes of a terminal's output. */
#pragma once

#include "base/slice.h"

enum { RING_BYTES = 256 << 10 };

struct ring {
	char *data; /* owned, RING_BYTES; NULL until something was written */
	size_t start, len;
};

void ring_done(struct ring *ring);

/* Older bytes give way. -ENOMEM changes nothing. */
int ring_write(struct ring *ring, struct slice bytes);

/*
 * What is kept, as two slices of which the second may be empty. Where older bytes were lost it begins after
 * the first newline, if there is one: not in the middle of a character or of a control sequence.
 */
void ring_read(const struct ring *ring, struct slice ret[2]);
