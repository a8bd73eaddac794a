/* Text for people: what may be shown, what was probably meant, sizes and times. */
#pragma once

#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * Appends text with everything that a terminal could obey made visible: control characters, DEL, C1, bytes
 * that are not valid UTF-8, and the bidirectional and zero-width marks become \xNN or \u{N}. With
 * keep_newlines, \n and \t stay.
 */
int text_printable(struct buf *into, struct slice text, bool keep_newlines);

bool text_is_utf8(struct slice text);

/* Whether it is valid UTF-8 without control characters: fit for a line of a file or of a message. */
bool text_is_line(const char *text);

/* The entry of the NULL-ended list that is nearest to word, or NULL where none is near enough to suggest. */
const char *text_nearest(const char *word, const char *const *list);

/*
 * Reads a size such as 512m, 8g, 2GiB or 1.5g; a bare number counts in MiB. Gives MiB, at least 1.
 * -EINVAL on anything else, -ERANGE above 1 PiB.
 */
int text_parse_mib(const char *text, uint64_t *ret_mib);

/* Reads a whole decimal number between min and max; anything else is -EINVAL or -ERANGE. */
int text_parse_number(const char *text, uint64_t min, uint64_t max, uint64_t *ret);

enum { TEXT_SHORT_BYTES = 32 };

/* "1.4 GiB", "12 KiB" */
void text_format_bytes(uint64_t bytes, char ret[TEXT_SHORT_BYTES]);

/* "5 seconds", "3 hours" */
void text_format_age(uint64_t seconds, char ret[TEXT_SHORT_BYTES]);
