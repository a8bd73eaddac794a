/*
 * The text of the person's settings: lines "key value", the value to the end of the line; # comments. Pure.
 */
#pragma once

#include "base/buf.h"

enum { SETTINGS_MAX_BYTES = 65536 };

#define SETTINGS_FILE_NAME "settings"

/* Empty where it is not set. The first line counts. */
struct slice settings_get(struct slice text, const char *key);

/* Appends the text with that value for the key, in its old place where it has one; value NULL: without it.
 * Every other line stays as it was written. */
int settings_set(struct slice text, const char *key, const char *value, struct buf *ret);
