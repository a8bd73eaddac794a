#include "guest/ring.h"

#include <errno.h>
#include <stdlib.h>

void ring_done(struct ring *ring)
{
	free(ring->data);
	*ring = (struct ring){0};
}

int ring_write(struct ring *ring, struct slice bytes)
{
	if (!ring->data && bytes.len > 0) {
		ring->data = malloc(RING_BYTES);
		if (!ring->data)
			return -ENOMEM;
	}
	if (bytes.len > RING_BYTES)
		bytes = slice_skip(bytes, bytes.len - RING_BYTES);
	while (bytes.len > 0) {
		size_t at = (ring->start + ring->len) % RING_BYTES;
		size_t count = RING_BYTES - at < bytes.len ? RING_BYTES - at : bytes.len;

		memcpy(ring->data + at, bytes.ptr, count);
		ring->len += count;
		if (ring->len > RING_BYTES) {
			ring->start = (ring->start + ring->len - RING_BYTES) % RING_BYTES;
			ring->len = RING_BYTES;
		}
		bytes = slice_skip(bytes, count);
	}
	return 0;
}

static bool skip_line(struct slice *part)
{
	const char *newline = part->len ? memchr(part->ptr, '\n', part->len) : NULL;

	if (newline)
		*part = slice_skip(*part, (size_t)(newline - part->ptr) + 1);
	return newline != NULL;
}

void ring_read(const struct ring *ring, struct slice ret[2])
{
	size_t first = RING_BYTES - ring->start < ring->len ? RING_BYTES - ring->start : ring->len;

	ret[0] = slice_of(ring->data ? ring->data + ring->start : "", first);
	ret[1] = slice_of(ring->data ? ring->data : "", ring->len - first);
	if (ring->len < RING_BYTES || skip_line(&ret[0]))
		return;
	if (skip_line(&ret[1]))
		ret[0].len = 0;
}
