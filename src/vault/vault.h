/* The vault's descriptors: what its supervisor hands it, and all that it has. */
#pragma once

enum {
	VAULT_CHANNEL_FD = 3, /* messages with the supervisor (wire/chan.h) */
	VAULT_FDS = 4,
};
