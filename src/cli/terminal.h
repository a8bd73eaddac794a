/* The user's terminal: its size, and raw mode for as long as somebody else draws on it. */
#pragma once

#include "wire/frame.h"

#include <termios.h>

struct terminal {
	int fd;
	struct termios before;
	bool is_raw;
};

/* The size, or 24 by 80 where the terminal does not say. */
struct frame_size terminal_size(int fd);

/* Raw mode; terminal_restore() undoes it. Not a terminal: does nothing. */
int terminal_make_raw(struct terminal *terminal, int fd);
void terminal_restore(struct terminal *terminal);
