/* The descriptors of sbx-store, where it has them. */
#pragma once

enum {
	STORE_PIPE_FD = 3, /* to a vault */
	STORE_LOG_FD = 4,  /* what it says once it stays on its own */
	STORE_FDS = 5,
};
