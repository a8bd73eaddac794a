/*
 * The supervisor's end of the engine's management socket (engine/qmp.h): one command at a time, answers in
 * order, events as they come. What the engine writes is hostile and parsed strictly.
 */
#pragma once

#include "base/buf.h"
#include "engine/qmp.h"

#include <uv.h>

enum { MONITOR_WAITING_MAX = 16 };

/* error is the engine's sentence, printable; NULL where it did as it was told. */
typedef void monitor_answer(void *owner, const char *error);

struct monitor_command {
	char *text;
	int fd; /* handed over with it, owned; -1 for none */
	monitor_answer *on_answer;
	void *owner;
};

struct monitor {
	uv_poll_t watch;
	int fd; /* owned; -1 once it is closed */
	struct buf in;
	struct monitor_command waiting[MONITOR_WAITING_MAX]; /* the first one has been sent */
	size_t n_waiting;
	void (*on_event)(void *owner, const struct qmp_message *event);
	void *owner;
};

/* Takes fd and begins the conversation. */
int monitor_open(struct monitor *monitor, uv_loop_t *loop, int fd,
		 void (*on_event)(void *owner, const struct qmp_message *event), void *owner);

/* Commands that wait are dropped without an answer. */
void monitor_close(struct monitor *monitor);

/*
 * Sends the command once all earlier ones are answered. Takes arguments (may be NULL); fd is borrowed, -1 for
 * none; on_answer may be NULL. -ENOBUFS when too many wait, -ENOTCONN once it is closed.
 */
int monitor_ask(struct monitor *monitor, const char *command, json_t *arguments, int fd,
		monitor_answer *on_answer, void *owner);
