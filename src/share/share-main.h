/* `sbx-share rw|ro` and its descriptors: what its supervisor hands it, and all that it begins with. */
#pragma once

enum {
	SHARE_CHANNEL_FD = 3, /* to the supervisor: SOCK_SEQPACKET, wire/chan.h */
	SHARE_ROOT_FD = 4,    /* the folder, or the one file, O_PATH */
	SHARE_FDS = 5,
};
