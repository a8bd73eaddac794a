/* A command of the person's that says a credential, such as 'pass show openai'. */
#pragma once

#include "store/value.h"

enum { COMMAND_LIMIT_MS = 60000 };

/*
 * Has sh(1) run it, at most limit_ms, in a session of its own, without input; what it writes to standard
 * output is the value. The sentence never holds what it wrote. Where nobody reads the pipe `listener` (-1:
 * none) any more, the command is ended: -EPIPE.
 */
int command_value(const char *command, int listener, int limit_ms, struct value *ret, struct err *err);
