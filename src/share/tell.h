/*
 * Tells the guest what has changed on the host: events of what is watched, and what is found when everything
 * is looked at again, because the host's kernel has lost count or a guest has slept meanwhile.
 *
 * How it works
 *   An event is told at once if there was none for a moment; those of that moment, together after it. When
 *   there are more than the guest would care to take one by one, it is told to forget what it does not use
 *   (once they abate, or after a while), and the rest is looked at again.
 */
#pragma once

#include "base/buf.h"
#include "share/news.h"

struct share;

struct tell {
	struct news news;
	int64_t next_ms;  /* not before then */
	int64_t begun_ms; /* of the time for which notices are counted */
	size_t n_notices; /* in it */
	bool is_flooded;  /* what happens in it is too much to be told one by one */
	bool is_all_old;  /* forgetting and looking again are due */
	uint64_t *ids;    /* owned: of the inodes that are yet to be looked at */
	size_t n_ids;
	const char *complaint; /* tell_complaint() */
	bool has_complained;   /* of the lack of room */
};

void tell_done(struct tell *tell);

/* A descriptor that is readable when there is something to tell; -1: not to be looked at now. */
int tell_fd(const struct share *share);

/* How long to wait for it before tell_turn() is to be called in any case; -1: for as long as it takes. */
int tell_wait_ms(const struct share *share);

/* Appends notices, if there is something to tell. */
int tell_turn(struct share *share, struct buf *into);

/* Takes note of what has happened, which tell_turn() tells later: before everything is saved. */
int tell_note(struct share *share);

/* Whatever the guest was told of may have changed. */
void tell_all(struct share *share);

/* What a person should know, once; else NULL. */
const char *tell_complaint(struct share *share);
