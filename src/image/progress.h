/*
 * Reads the log of a template build, line by line, and says how far the build is. Pure: no clock, no I/O;
 * whatever a line holds, nothing worse than a wrong figure comes of it.
 */
#pragma once

#include "base/slice.h"

#include <stdint.h>

enum { PROGRESS_REASON_BYTES = 300, PROGRESS_KERNEL_BYTES = 80 };

enum progress_phase {
	PROGRESS_START,
	PROGRESS_LISTS,
	PROGRESS_FETCH_BASE,
	PROGRESS_UNPACK_BASE,
	PROGRESS_INSTALL_BASE,
	PROGRESS_FETCH,
	PROGRESS_INSTALL,
	PROGRESS_SET_UP,
	PROGRESS_IMAGE,
	PROGRESS_TIDY,
	PROGRESS_PHASES,
};

struct progress {
	enum progress_phase phase;
	double fraction;                    /* of the whole build, 0 to 1; never falls */
	uint64_t bytes, bytes_wanted;       /* in this phase */
	uint64_t packages, unpacked, ready; /* in this phase */
	char kernel[PROGRESS_KERNEL_BYTES]; /* the guest kernel's version once the log has named it */
	char reason[PROGRESS_REASON_BYTES]; /* the line that best explains a failure so far; raw bytes */
	int reason_rank;
	bool is_disk_full;
};

void progress_init(struct progress *progress);

/* Takes one line without its newline. */
void progress_line(struct progress *progress, struct slice line);

/* What is being done, for people. */
const char *progress_text(const struct progress *progress);
