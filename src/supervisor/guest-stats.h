/* What a guest says of itself: the answer to GET /stats (wire/control.h). Hostile text, read strictly. */
#pragma once

#include "base/buf.h"

#include <stdint.h>

struct guest_stats {
	uint64_t memory_total_kib, memory_available_kib;
	uint64_t disk_total_kib, disk_used_kib;
	uint64_t processes, uptime_seconds;
	uint64_t load_hundredths; /* of the last minute */
};

/* Pure. Lines that are not known are passed over; -EBADMSG where one is missing, twice there or out of
 * bounds. */
int guest_stats_parse(struct slice body, struct guest_stats *ret);
