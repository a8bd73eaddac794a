#include "supervisor/guest-stats.h"

#include "base/text.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

enum { VALUE_MAX_BYTES = 24 };

/* More than any machine has, and no sum of two overflows. */
static const uint64_t value_max = 1ULL << 50;

/* "0.42" in hundredths, the others as they are. */
static int parse_value(const char *text, bool has_hundredths, uint64_t *ret)
{
	char digits[VALUE_MAX_BYTES];
	const char *point = strchr(text, '.');
	size_t len = point ? (size_t)(point - text) : 0;

	if (!has_hundredths)
		return text_parse_number(text, 0, value_max, ret);
	if (!point || len == 0 || strlen(point) != 3)
		return -EBADMSG;
	memcpy(digits, text, len);
	strcpy(digits + len, point + 1);
	return text_parse_number(digits, 0, value_max, ret);
}

static int take_line(struct slice line, struct guest_stats *stats, unsigned *seen)
{
	static const struct {
		const char *name;
		size_t offset;
		bool has_hundredths;
	} rows[] = {
		{"memory-total-kib", offsetof(struct guest_stats, memory_total_kib), false},
		{"memory-available-kib", offsetof(struct guest_stats, memory_available_kib), false},
		{"disk-total-kib", offsetof(struct guest_stats, disk_total_kib), false},
		{"disk-used-kib", offsetof(struct guest_stats, disk_used_kib), false},
		{"processes", offsetof(struct guest_stats, processes), false},
		{"uptime-seconds", offsetof(struct guest_stats, uptime_seconds), false},
		{"load", offsetof(struct guest_stats, load_hundredths), true},
	};
	const char *space = line.len > 0 ? memchr(line.ptr, ' ', line.len) : NULL;
	size_t name_len = space ? (size_t)(space - line.ptr) : 0;

	for (size_t i = 0; space && i < array_len(rows); i++) {
		struct slice value = slice_skip(line, name_len + 1);
		char text[VALUE_MAX_BYTES] = "";

		if (!slice_is(slice_of(line.ptr, name_len), rows[i].name))
			continue;
		if ((*seen & 1U << i) || value.len >= sizeof(text) || memchr(value.ptr, '\0', value.len))
			return -EBADMSG;
		*seen |= 1U << i;
		memcpy(text, value.ptr, value.len);
		return parse_value(text, rows[i].has_hundredths,
				   (uint64_t *)(void *)((char *)stats + rows[i].offset)) < 0
			       ? -EBADMSG
			       : 0;
	}
	return 0;
}

int guest_stats_parse(struct slice body, struct guest_stats *ret)
{
	enum { ALL = (1 << 7) - 1 };
	struct guest_stats stats = {0};
	unsigned seen = 0;
	int r = 0;

	while (r == 0 && body.len > 0) {
		const char *end = memchr(body.ptr, '\n', body.len);
		size_t len = end ? (size_t)(end - body.ptr) : body.len;

		r = take_line(slice_of(body.ptr, len), &stats, &seen);
		body = slice_skip(body, end ? len + 1 : len);
	}
	if (r < 0 || seen != ALL || stats.memory_available_kib > stats.memory_total_kib ||
	    stats.disk_used_kib > stats.disk_total_kib)
		return -EBADMSG;
	*ret = stats;
	return 0;
}
