/* Writes what the guest says on its serial console to a log: printable, and never more than a limit. */
#pragma once

#include <uv.h>

enum { CONSOLE_LOG_MAX_BYTES = 1 << 20 };

struct console {
	uv_poll_t poll;
	int fd, log;
};

/* Borrows both descriptors. The console must live as long as the loop. */
int console_start(struct console *console, uv_loop_t *loop, int fd, int log);
