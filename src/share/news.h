/*
 * Events of the host's kernel become notices for the guest's. Those that were collected together go out
 * together, in an order that leaves no gap:
 *
 *   names      the guest's kernel ends its look-ups in a folder before it takes these, so that what was
 *              looked up before the change is known to it when the next ones come
 *   inodes     attributes, content, and the list of a folder
 *   touches    for those who watch: who looks because of them sees what is new
 */
#pragma once

#include "base/buf.h"
#include "share/event.h"

#include <stdint.h>

enum { NEWS_FOLDERS_MAX = 256 };

struct news {
	struct buf names, inodes, touches;
	struct {
		uint64_t id;
		bool is_ended, is_changed; /* its look-ups will have ended; its list is told to be new */
	} folders[NEWS_FOLDERS_MAX];
	size_t n_folders, n_notices;
};

void news_init(struct news *news);
void news_done(struct news *news);

/*
 * folder and file are the guest's numbers for those of the event; 0: it does not know them. is_known: it has
 * found the file by that name since it came there.
 */
int news_add(struct news *news, const struct event *event, uint64_t folder, uint64_t file, bool is_known);

/* Appends the notices, and is empty again. */
int news_write(struct news *news, struct buf *into);
