/* What sbx-store and who starts it agree on: its descriptors, where it has them, and its answers. */
#pragma once

enum {
	STORE_PIPE_FD = 3, /* to a vault */
	STORE_LOG_FD = 4,  /* what it says once it stays on its own */
	STORE_FDS = 5,
};

/* Behind the name of where a value was put (store/index.h): the kernel alone has the key. */
#define STORE_UNTIL_RESTART " until-restart"
