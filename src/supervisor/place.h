/* Where a supervisor works: its sandbox's folder with the lock on it, the folder of sockets, and the logs. */
#pragma once

#include "base/buf.h"
#include "supervisor/sandbox.h"

enum { PLACE_PATH_BYTES = PATH_ROOM_BYTES + 128 };

struct place {
	struct paths paths;
	int dir, lock, run_dir;
	char name[SANDBOX_NAME_MAX + 1];
	char socket_name[SANDBOX_NAME_MAX + 8];
};

/* Opens and locks it, and gives the sandbox's description. -EBUSY when somebody else has the lock. */
int place_open(struct place *place, enum shelf shelf, const char *name, struct sandbox *ret, struct err *err);

/* -ENOSPC with a sentence when there is not even the room for a start. */
int place_check_room(const struct place *place, struct err *err);

/* True when a machine that waited for space may go on. */
bool place_has_room(const struct place *place);

/* Makes the listening socket; whoever holds the lock is the only one. */
int place_listen(const struct place *place, struct err *err);
void place_unlisten(const struct place *place);

/* Begins a log of that name anew; what the last run said stays as NAME.1. Gives its descriptor. */
int place_log(const struct place *place, const char *name, struct err *err);

/* Appends the last line of a log, in brackets, which is why something ended that ended by itself. */
void place_last_words(const struct place *place, const char *log_name, struct buf *into);

/* Keeps the console's log where it outlives the sandbox: one that did not start goes again. Gives its path.
 */
const char *place_keep_console(const struct place *place, char ret[PLACE_PATH_BYTES]);
