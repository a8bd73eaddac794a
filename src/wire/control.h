/*
 * What can be asked of the guest program on the control port, as HTTP/2 requests. Bodies that are not frames
 * are lines "name value", at most CONTROL_BODY_MAX_BYTES.
 */
#pragma once

enum { CONTROL_BODY_MAX_BYTES = 65536, CONTROL_SESSION_NAME_MAX_BYTES = 64 };

/* POST: body both ways is frames (wire/frame.h). */
#define CONTROL_EXEC "/exec"

/*
 * POST: what only the host knows, before any command is run. Lines: "time SECONDS.NANOSECONDS", "hostname
 * NAME", "machine-id HEX", "entropy HEX". Answer: 204.
 */
#define CONTROL_RESUME "/resume"

/* POST: ends every process, syncs, unmounts, answers 204 once it is safe, and powers off. */
#define CONTROL_SHUTDOWN "/shutdown"
