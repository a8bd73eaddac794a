/* The descriptors with which sbx-engine is started. What is not connected is closed. */
#pragma once

#include "engine/engine.h"

enum {
	ENGINE_KERNEL_FD = 3,
	ENGINE_INITRAMFS_FD,
	ENGINE_BASE_FD,
	ENGINE_LAYER_FD,
	ENGINE_DISK_FD,
	ENGINE_MEMORY_FD,
	ENGINE_QMP_FD,
	ENGINE_CONSOLE_FD,
	ENGINE_CONTROL_FD,
	ENGINE_NETWORK_FD,
	ENGINE_SHARE_FD,
	ENGINE_FDS = ENGINE_SHARE_FD + ENGINE_SHARES,
};
