/* The command that has started this supervisor, and waits for it to be ready (supervisor.h). */
#pragma once

#include <stdbool.h>
#include <uv.h>

struct starter {
	uv_poll_t watch;
	int fd;       /* -1 once it is not there any more */
	bool is_kept; /* the sandbox is for it alone: on_gone follows after the start too */
	void (*on_gone)(void *owner);
	void *owner;
};

/* on_gone: it went away, before the end of the start or where it is kept. */
int starter_open(struct starter *starter, uv_loop_t *loop, int fd, void (*on_gone)(void *owner), void *owner);

void starter_phase(struct starter *starter, const char *text);
void starter_note(struct starter *starter, const char *text);

/* The last word: ready with error NULL. Works without starter_open() too. */
void starter_end(struct starter *starter, const char *error);
