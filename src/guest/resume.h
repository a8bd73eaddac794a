/* What only the host knows, taken over before any command runs: the body of a POST to CONTROL_RESUME. */
#pragma once

#include "base/slice.h"

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

enum { RESUME_NAME_BYTES = 65, RESUME_ID_BYTES = 33, RESUME_ENTROPY_MAX_BYTES = 256 };

struct resume {
	struct timespec time; /* 0 where it was not said */
	char hostname[RESUME_NAME_BYTES];
	char machine_id[RESUME_ID_BYTES];
	unsigned char entropy[RESUME_ENTROPY_MAX_BYTES];
	size_t entropy_len;
	bool is_restored; /* the machine continues from a saved state */
};

/* Pure. Lines that are not known are passed over, those that are must be right: -EINVAL. */
int resume_parse(struct slice body, struct resume *ret);

/* Parses, and sets everything that was said. Goes on after what fails and returns the first failure. */
int resume_apply(struct slice body);
