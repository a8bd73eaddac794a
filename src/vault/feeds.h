/* What stores say, and the credentials that come of it; the supervisor hears what there is, without values.
 */
#pragma once

#include "vault/feed.h"
#include "vault/secrets.h"

#include <poll.h>

enum { FEEDS_MAX = 16 };

struct feeds {
	struct secrets *secrets;
	struct feed items[FEEDS_MAX];
	unsigned last; /* number */
	int channel;   /* borrowed: to the supervisor */
};

int feeds_init(struct feeds *feeds, int channel);
void feeds_done(struct feeds *feeds);

/* Listens to one more, and takes the pipe. The message of that id is answered once its first text is there.
 */
int feeds_add(struct feeds *feeds, int *pipe, uint32_t id);

void feeds_watch(const struct feeds *feeds, struct pollfd ret[FEEDS_MAX]);

/* Takes what has come; only the supervisor's end is an error. */
int feeds_turn(struct feeds *feeds, const struct pollfd events[FEEDS_MAX]);
