/*
 * `sbx-keeper` and its descriptors: starts a server (sbx-share) for each folder that it is handed, and
 * another one when that ends. A process of its own because what a server may reach must not be limited by
 * what its supervisor has given up (Landlock), and folders come while the sandbox runs. It reads what its
 * supervisor says, and nothing else.
 */
#pragma once

enum {
	KEEPER_CHANNEL_FD = 3, /* messages with the supervisor (wire/chan.h) */
	KEEPER_FDS = 4,
};
