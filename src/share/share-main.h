/* `sbx-share rw|ro` and its descriptors: what its supervisor hands it, and all that it has. */
#pragma once

enum {
	SHARE_PORT_FD = 3, /* the guest's share port */
	SHARE_ROOT_FD = 4, /* the folder, O_PATH */
	SHARE_FDS = 5,
};
