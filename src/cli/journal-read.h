/* Reads the journals of sandboxes: lines of JSON, made of what guests did, so of anybody's text. */
#pragma once

#include "base/paths.h"
#include "base/slice.h"

/* Gets one line, without its end; false: no more are wanted. */
typedef bool (*journal_line)(void *owner, const char *sandbox, struct slice line);

/* All lines that there are of one sandbox, oldest first. */
int journal_read(const struct paths *paths, const char *sandbox, journal_line take, void *owner,
		 struct err *err);

/*
 * Lines as they come, of one sandbox or with NULL of all, also those that are yet to be made, until no more
 * are wanted, the one sandbox is gone, or whoever reads standard output is.
 */
int journal_follow(const struct paths *paths, const char *sandbox, journal_line take, void *owner,
		   struct err *err);
