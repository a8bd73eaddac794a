/* guest_stats_parse: what it takes is within bounds, and nothing makes it read past the end. */
#include "supervisor/guest-stats.h"

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct guest_stats stats;

	if (guest_stats_parse(slice_of(bytes, len), &stats) == 0) {
		property(stats.memory_available_kib <= stats.memory_total_kib);
		property(stats.disk_used_kib <= stats.disk_total_kib);
		property(stats.processes < UINT64_MAX / 2 && stats.uptime_seconds < UINT64_MAX / 2);
	}
	return 0;
}
