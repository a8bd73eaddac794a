/*
 * How a command line starts `sbx-supervisor NAME TEMPLATE-ID`, or `sbx-supervisor NAME TEMPLATE-ID start` to
 * make the state that new sandboxes start from, or `sbx-supervisor NAME TEMPLATE-ID bound` for a sandbox that
 * ends with its starter, and what it hears from it. The descriptors are the supervisor's; the environment
 * names the state folders (base/paths.h).
 *
 * On SUPERVISOR_STARTER_FD, lines of JSON come back: {"event": "phase", "text": ...} while it starts, then
 * {"event": "ready"} or {"event": "failed", "error": ...}; {"event": "note", "text": ...} is for the person.
 * A starter that closes its end before that gets its wish: nothing of the start is left. So does one that it
 * is bound to, at any time.
 */
#pragma once

#include "engine/engine.h"

enum {
	SUPERVISOR_STARTER_FD = 3,
	SUPERVISOR_KERNEL_FD = 4,
	SUPERVISOR_INITRAMFS_FD = 5,
	SUPERVISOR_BASE_FD = 6,
	SUPERVISOR_LAYER_FD = 7,  /* where the template has one */
	SUPERVISOR_MEMORY_FD = 8, /* the sealed memory that others have started from, if there is any */
	/*
	 * The folders of the sandbox (O_PATH), judged, one for each port that its description names. Which of
	 * them are there is looked at before anything else is opened, and whether there is a layer.
	 */
	SUPERVISOR_SHARE_FD = SUPERVISOR_MEMORY_FD + 1,
	SUPERVISOR_FDS = SUPERVISOR_SHARE_FD + ENGINE_SHARES,
};
