/*
 * The supervisor's socket: <run>/<name>.sock in a folder that only its user can enter. A client sends one
 * line of JSON and gets one back:
 *
 *   {"op": "status"}   {"ok": true, "state": "running", "agent": ..., "accel": ..., "since": ..., "pids":
 * {...}}
 *   {"op": "exec"}     {"ok": true}; from then on both sides speak frames (wire/frame.h)
 *   {"op": "stop"}     {"ok": true} when the sandbox has shut down
 *
 * and {"ok": false, "error": "sentence"} where it cannot be done. Peers of another user are refused.
 */
#pragma once

#include "base/err.h"

#include <jansson.h>
#include <uv.h>

enum { CONTROL_CLIENTS_MAX = 256, CONTROL_LINE_MAX_BYTES = 65536 };

struct control_client;

struct control_ops {
	/* Gives the status as a new object. */
	json_t *(*on_status)(void *owner);
	/* Hands the connection on; borrows fd. A negative errno with a sentence refuses. */
	int (*on_exec)(void *owner, int fd, struct err *err);
	/* Begins to stop; control_stopped() answers. */
	void (*on_stop)(void *owner);
};

struct control {
	uv_poll_t watch;
	uv_loop_t *loop;
	const struct control_ops *ops;
	void *owner;
	int listener;
	unsigned n_clients;
	struct control_client *waiting; /* for the stop */
};

/* Takes listener. */
int control_start(struct control *control, uv_loop_t *loop, int listener, const struct control_ops *ops,
		  void *owner);

/* Answers everybody who waits for the stop. error is NULL when it went well. */
void control_stopped(struct control *control, const char *error);
