/*
 * What waits to be written to a port: answers as they were made, cut into the port's packets (wire/port.h)
 * only while they are written, so that large ones are not copied.
 */
#pragma once

#include "base/buf.h"
#include "wire/port.h"

struct chunk;

struct outgoing {
	struct buf raw;             /* written before anything else, as it is */
	struct chunk *first, *last; /* bytes to be cut */
	size_t len;                 /* of all of them */
	char head[PORT_HEAD_BYTES]; /* of the packet that was begun */
	size_t head_left, body_left;
};

void outgoing_done(struct outgoing *outgoing);

/* Appends the content, and leaves the buffer empty. */
int outgoing_add(struct outgoing *outgoing, struct buf *bytes);

/* Writes once what the descriptor takes. Returns 0, also when it takes nothing now, or a negative errno. */
int outgoing_write(struct outgoing *outgoing, int fd);

static inline bool outgoing_is_empty(const struct outgoing *outgoing)
{
	return outgoing->len == 0 && outgoing->raw.len == 0;
}
