/*
 * `sbx-keeper` and its descriptors: starts a server (sbx-share) for each folder that it is handed, the proxy
 * and the vault, and another one when one ends. A process of its own because what these may reach must not be
 * limited by what their supervisor has given up (Landlock), and folders come while the sandbox runs. It reads
 * what its supervisor says, and nothing else.
 */
#pragma once

#include "wire/share.h"

/* The numbers of the proxy and of the vault, behind those of the shares; they are kept without a folder. */
enum { KEEPER_PROXY = SHARE_PORTS, KEEPER_VAULT, KEEPER_ROLES };

enum {
	KEEPER_CHANNEL_FD = 3, /* messages with the supervisor (wire/chan.h) */
	KEEPER_FDS = 4,
};
