/*
 * A pipe from the store, by which it sends bindings with their values (wire/secret.h): texts, each ended by a
 * line "end". The first brings what there is, later ones what has changed.
 */
#pragma once

#include "base/slice.h"

#include <stdint.h>

struct feed {
	int pipe; /* owned; -1 where it is not in use */
	unsigned number;
	uint32_t id; /* of the message that brought it, until its first text has been taken; then 0 */
	char *text;  /* of sodium_malloc() */
	size_t len, room;
};

/* Takes the pipe. */
void feed_open(struct feed *feed, int pipe, unsigned number, uint32_t id);
void feed_close(struct feed *feed);

/*
 * Reads once, which waits where there is nothing. Returns 1: *ret_text is a whole text, until feed_drop(); 0:
 * not yet; -EPIPE: the store has ended; -EFBIG.
 */
int feed_read(struct feed *feed, struct slice *ret_text);

/* The next whole text of what has been read already, as feed_read() gives it. */
bool feed_take(const struct feed *feed, struct slice *ret_text);

/* Wipes the text that was given, and its end. */
void feed_drop(struct feed *feed, struct slice text);
