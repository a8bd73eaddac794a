/*
 * The control socket, for the command line and other programs of the same user: one request a connection, a
 * line of JSON with an "op", an answer of one line.
 *
 *   {"op": "status"}            -> {"ok": true, "state": ..., ...}
 *   {"op": "stats"}             -> the same and {"guest": {...}}, null where the guest does not say
 *   {"op": "exec"}              -> {"ok": true}; from then on the connection carries frames (wire/frame.h)
 *   {"op": "stop"}              -> {"ok": true} once it is suspended; with "cold": true once it is shut down
 *   {"op": "pause"}, {"op": "resume"}
 *   {"op": "save"}              -> with descriptors for a copy of the disk, the devices, the memory, and what
 *                                  the servers of folders know;
 *                                  {"ok": true, "machine": ..., "base": ..., "base_bytes": ...}
 *   {"op": "memory", "id": ...} -> {"ok": true} and the sealed memfd that it started from, if that is the one
 *   {"op": "mount", "source": ..., "target": ..., "read_only": ..., "file": ...} -> with what is opened there
 *   {"op": "umount", "path": ...} -> its source or target
 *   {"op": "diff"}              -> with a file, in which lines of JSON tell what the guest has changed
 *   {"op": "policy"}            -> once the policies, read again, hold for everything that is open
 *   {"op": "secrets"}           -> with a pipe from the store (vault/feed.h), once the vault has taken what
 *                                  came
 *   {"op": "all-secrets"}       -> the same where all there are came; {"ok": true, "lost": [...]}: services
 *                                  whose secrets went with a vault that has ended, and did not come again
 *   {"op": "guard", "rules": [...]} -> the person's rules for guarded paths, from now on
 *
 * What cannot be done is answered with {"ok": false, "error": sentence}.
 */
#pragma once

#include "base/err.h"

#include <jansson.h>
#include <uv.h>

enum { CONTROL_CLIENTS_MAX = 256, CONTROL_LINE_MAX_BYTES = 65536, CONTROL_FDS_MAX = 4 };

struct control_request {
	const char *op;
	const json_t *body;
	uint64_t ticket; /* for control_answer() */
	int fds[CONTROL_FDS_MAX];
	size_t n_fds; /* owned by the request, closed after it unless taken (set to -1) */
};

struct control_ops {
	/* Answers now or later with control_answer(). */
	void (*on_request)(void *owner, struct control_request *request);
	/* May a command be run? Then it is, and fd is lent to it. Asked with fd -1 first. */
	int (*on_exec)(void *owner, int fd, struct err *err);
	/* Whoever has made the request of that ticket has gone away before the answer. */
	void (*on_gone)(void *owner, uint64_t ticket);
};

struct control_client;

struct control {
	uv_loop_t *loop;
	uv_poll_t watch;
	int listener;
	unsigned n_clients;
	uint64_t last_ticket;
	struct control_client *clients;
	const struct control_ops *ops;
	void *owner;
};

/* Takes the listening socket. */
int control_start(struct control *control, uv_loop_t *loop, int listener, const struct control_ops *ops,
		  void *owner);

/* Answers; takes reply, which NULL is {"ok": true}. fd goes with it, borrowed, -1 for none. A client that is
 * gone by now is passed over. */
void control_answer(struct control *control, uint64_t ticket, json_t *reply, int fd);

/* The same with {"ok": false, "error": sentence}. */
void control_refuse(struct control *control, uint64_t ticket, const char *why);
