/* Asks a person for what must not be seen: on the terminal, without echo. */
#pragma once

#include "store/value.h"

/* Whether there is somebody to ask: this process has a terminal. */
bool prompt_is_possible(void);

/*
 * Asks on the terminal itself, whatever standard input is; gives the line without its end. -ENOTTY without a
 * terminal, -ECANCELED where it was interrupted or ended.
 */
int prompt_ask(const char *question, struct value *ret, struct err *err);
