/* A connected socket to the outside, and what waits to be written to it. Inside TLS where that was opened. */
#pragma once

#include "base/buf.h"
#include "proxy/tls.h"

#include <uv.h>

struct outlet;

struct outlet_ops {
	void (*on_readable)(void *owner);
	/* Everything that waited has been written, and it takes more. */
	void (*on_writable)(void *owner);
	/* It cannot be written any more; what can still be read is. */
	void (*on_broken)(void *owner);
	/* The TLS handshake is over: NULL, or why there is no TLS. Only with outlet_open_tls(); until then
	 * the others are not called. */
	void (*on_open)(void *owner, const char *why);
};

/* Takes fd, even when it fails. Borrows ops and loop. */
int outlet_new(uv_loop_t *loop, int fd, const struct outlet_ops *ops, void *owner, struct outlet **ret);
void outlet_free(struct outlet *outlet);

/* Hands it to another owner. */
void outlet_set_owner(struct outlet *outlet, const struct outlet_ops *ops, void *owner);

/* Everything from here on is inside TLS. Takes tls. Nothing may have been sent; on_open follows. */
void outlet_open_tls(struct outlet *outlet, struct tls *tls);

/* NULL without TLS. */
struct tls *outlet_tls(const struct outlet *outlet);

/* Whether on_readable is called. Not, at first. */
void outlet_read(struct outlet *outlet, bool wanted);

/*
 * Reads once, and appends it: about limit bytes at most. The count, 0 at the end, -EAGAIN where there is
 * nothing, or why it is broken; inside TLS an end that was not announced is -ECONNRESET.
 */
ssize_t outlet_receive(struct outlet *outlet, struct buf *into, size_t limit);

/* The same without a buffer; only without TLS. */
ssize_t outlet_receive_raw(struct outlet *outlet, char *into, size_t room);

/* Writes what it takes now and keeps the rest. */
int outlet_send(struct outlet *outlet, struct slice bytes);
size_t outlet_waiting(const struct outlet *outlet);

/* Writes what it takes now and says how much that was; on_writable is called when it takes more. */
ssize_t outlet_write(struct outlet *outlet, struct slice bytes);

/* Nothing will be sent after what waits. */
void outlet_end(struct outlet *outlet);
