/* A command with three streams. It ends with its caller. */
#pragma once

#include "guest/exec.h"

/* Starts what the description says, or fails the exec. */
void command_start(struct exec *exec);

void command_input(struct command *command, struct slice bytes);
void command_input_end(struct command *command);
void command_signal(struct command *command, int number);

/* True while it has not taken what came before: the caller's window stays as it is. */
bool command_is_full(const struct command *command);

/* The viewer has taken what was queued. */
void command_drained(struct command *command);

/* The caller is gone: hang up, and kill what does not heed that. */
void command_abandon(struct command *command);
