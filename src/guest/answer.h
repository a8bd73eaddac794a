/*
 * What the resolver says. Every name has an address at once, made up in here (names.h): the host is asked for
 * names when something connects, and never hears a question that nobody follows up.
 */
#pragma once

#include "base/buf.h"
#include "guest/names.h"

/* Appends the answer; -EBADMSG for what gets none. Borrows both. */
int answer_query(struct names *names, struct slice query, struct buf *into);
