/*
 * The person's rules for guarded paths, the file "guard" among the settings: lines of wire/guard.h, and
 * comments. Pure: text in, text out.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"

/* Says which line is no rule. */
int guard_file_check(struct slice text, struct err *err);

/* Appends the text with the rule at its end, where it counts most, and nowhere else. */
int guard_file_add(struct slice text, const char *rule, struct buf *ret);

/* Appends the text without the rules of that pattern. Gives how many there were. */
int guard_file_remove(struct slice text, const char *pattern, struct buf *ret);
