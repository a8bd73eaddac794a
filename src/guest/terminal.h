/*
 * A command on a terminal. A named one (FRAME_SESSION) lives on when its viewer goes, keeps the last of its
 * output, and can be joined again; an unnamed one is hung up, like a window that is closed.
 */
#pragma once

#include "guest/exec.h"

/* Joins the session that the description names, or starts a new terminal; or fails the exec. */
void terminal_start(struct exec *exec);

void terminal_input(struct terminal *terminal, struct slice bytes);
void terminal_resize(struct terminal *terminal, struct frame_size size);
void terminal_signal(struct terminal *terminal, int number);
bool terminal_is_full(const struct terminal *terminal);
void terminal_drained(struct terminal *terminal);

/* This viewer goes. */
void terminal_leave(struct terminal *terminal, struct exec *exec);
