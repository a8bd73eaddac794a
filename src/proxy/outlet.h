/* A connected socket to the outside, and what waits to be written to it. */
#pragma once

#include "base/buf.h"

#include <uv.h>

struct outlet;

struct outlet_ops {
	void (*on_readable)(void *owner);
	/* Everything that waited has been written, and it takes more. */
	void (*on_writable)(void *owner);
	/* It cannot be written any more; what can still be read is. */
	void (*on_broken)(void *owner);
};

/* Takes fd, even when it fails. Borrows ops and loop. */
int outlet_new(uv_loop_t *loop, int fd, const struct outlet_ops *ops, void *owner, struct outlet **ret);
void outlet_free(struct outlet *outlet);

/* Hands it to another owner. */
void outlet_set_owner(struct outlet *outlet, const struct outlet_ops *ops, void *owner);

/* Whether on_readable is called. Not, at first. */
void outlet_read(struct outlet *outlet, bool wanted);

/* Reads once. The count, 0 at the end, -EAGAIN where there is nothing, or why it is broken. */
ssize_t outlet_receive(struct outlet *outlet, char *into, size_t room);

/* Writes what it takes now and keeps the rest. */
int outlet_send(struct outlet *outlet, struct slice bytes);
size_t outlet_waiting(const struct outlet *outlet);

/* Writes what it takes now and says how much that was; on_writable is called when it takes more. */
ssize_t outlet_write(struct outlet *outlet, struct slice bytes);

/* Nothing will be sent after what waits. */
void outlet_end(struct outlet *outlet);
