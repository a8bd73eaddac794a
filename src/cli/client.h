/* One connection to a sandbox's supervisor, and questions with a limit. */
#pragma once

#include "base/paths.h"

#include <jansson.h>

enum client_state {
	CLIENT_STOPPED, /* nobody listens */
	CLIENT_STARTING,
	CLIENT_RUNNING,
	CLIENT_PAUSED, /* by a person */
	CLIENT_STOPPING,
	CLIENT_DISK_FULL,     /* paused until the host has space again */
	CLIENT_NOT_ANSWERING, /* a supervisor is there and says nothing */
};

extern const char *const client_state_names[];

struct client_status {
	const char *name; /* borrowed, set by the caller */
	enum client_state state;
	json_t *reply; /* owned: the whole answer, NULL where there is none */
	int file;      /* borrowed, set by the caller: lent to this one; 0 for none */
};

/* Asks all of them at once; what has not answered after limit_ms is CLIENT_NOT_ANSWERING. */
void client_statuses(const struct paths *paths, struct client_status *list, size_t count, int limit_ms);

/* The same with another request that is answered with the state and more. */
void client_statuses_of(const struct paths *paths, const char *op, struct client_status *list, size_t count,
			int limit_ms);

/* Connects. -ECONNREFUSED when it is not running. */
int client_connect(const struct paths *paths, const char *name, struct err *err);

/*
 * Sends {"op": op} and waits for the answer, at most limit_ms. What the supervisor refuses is -EREMOTEIO with
 * its sentence.
 */
int client_ask(int fd, const char *op, int limit_ms, struct err *err);

/* The same with a request of the caller's, which it takes; ret_reply (may be NULL) is the caller's to end. */
int client_ask_with(int fd, json_t *request, int limit_ms, json_t **ret_reply, struct err *err);

/* The same, lending the files to the supervisor. */
int client_ask_with_files(int fd, json_t *request, const int *fds, size_t n_fds, int limit_ms,
			  json_t **ret_reply, struct err *err);

/*
 * Asks everybody who runs for the sealed memory of that id (supervisor/saved.h). Returns a descriptor of the
 * caller's, or -1. Waits for a moment only.
 */
int client_find_memory(const struct paths *paths, const char *id);
