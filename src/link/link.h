/* The link's descriptors: what its supervisor hands it, and all that it has. */
#pragma once

enum {
	LINK_CHANNEL_FD = 3,     /* messages with the supervisor (wire/chan.h) */
	LINK_CONTROL_FD = 4,     /* the guest's control port */
	LINK_CONSOLE_FD = 5,     /* the guest's serial console */
	LINK_CONSOLE_LOG_FD = 6, /* where the console is written, printable and limited */
	LINK_ENGINE_FD = 7,      /* what the engine says on standard error */
	LINK_ENGINE_LOG_FD = 8,  /* where that is written, likewise */
	LINK_FDS = 9,
};
