/*
 * What can be asked of the guest program on the control port, as HTTP/2 requests. Bodies that are not frames
 * are lines "name value", at most CONTROL_BODY_MAX_BYTES.
 */
#pragma once

enum {
	CONTROL_BODY_MAX_BYTES = 65536,
	CONTROL_TRUST_MAX_BYTES = 4 << 20,
	CONTROL_SESSION_NAME_MAX_BYTES = 64
};

/* POST: body both ways is frames (wire/frame.h). */
#define CONTROL_EXEC "/exec"

/*
 * POST: what only the host knows, before any command is run. Lines: "time SECONDS.NANOSECONDS", "hostname
 * NAME", "machine-id HEX", "entropy HEX", "restored 1" where the machine continues from a saved state.
 * Processes that were frozen go on afterwards. Answer: 204.
 */
#define CONTROL_RESUME "/resume"

/* POST: ends every process, syncs, unmounts, answers 204 once it is safe, and powers off. */
#define CONTROL_SHUTDOWN "/shutdown"

/* POST: writes out what is held back and freezes every process, before the machine is saved. Answer: 204. */
#define CONTROL_QUIESCE "/quiesce"

/* POST: waits until the Docker engine answers, and writes out what is held back. Answer: 204. */
#define CONTROL_SETTLE "/settle"

/*
 * GET: how much is in use. Answer: 200 with lines memory-total-kib, memory-available-kib, disk-total-kib,
 * disk-used-kib, load (of the last minute), processes, uptime-seconds.
 */
#define CONTROL_STATS "/stats"

/*
 * POST: mounts a shared folder. Lines: "port NAME", "target PATH", "mode ro" or "rw", "kind dir" or "file".
 * One that is mounted there already stays. Answer: 204.
 */
#define CONTROL_MOUNT "/mount"

/* POST: the same lines; unmounts it. Answer: 204; 409 where it is in use, unless there is a line "force 1".
 */
#define CONTROL_UMOUNT "/umount"

/*
 * POST: the certificates (PEM) that programs inside are to trust, from now on: what the host trusts. At most
 * CONTROL_TRUST_MAX_BYTES. Answer: 204.
 */
#define CONTROL_TRUST "/trust"

/*
 * POST: lines NAME=VALUE, which commands that are started from now on have in their environment unless they
 * are told otherwise; in the place of those before. Answer: 204.
 */
#define CONTROL_ENVIRONMENT "/environment"
