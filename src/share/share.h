/*
 * One folder of the host, served over FUSE messages (linux/fuse.h): a message in, a message out. Knows
 * nothing of how messages travel. No path is looked up twice, no link is followed, and nothing outside the
 * folder, or on a file system that is mounted below it, is ever reached.
 */
#pragma once

#include "base/buf.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum { SHARE_GUEST_UID = 1000, SHARE_GUEST_NOBODY = 65534 };

struct share;

/* Takes root, an O_PATH descriptor of the folder, or of a regular file that is shared alone. The user's own
 * files show as SHARE_GUEST_UID's. */
int share_new(int root, bool is_read_only, struct share **ret);
void share_free(struct share *share);

/*
 * The host's side is watched from now on, with what watch_open() has given, which it takes: the guest may
 * keep for long what it is told, and is told of changes (tell.h). -EOPNOTSUPP where that cannot be: then it
 * keeps everything for a second.
 */
int share_watch(struct share *share, int group);

/* Numbers that the guest gets for files begin above place. */
void share_number_from(struct share *share, uint64_t place);

/* The guest has mounted the folder already, with a server before this one, or another port: its INIT does not
 * come again, and whatever it believes is looked at again. */
void share_continue(struct share *share);

/* Takes over one line of the person's rules for guarded paths (wire/guard.h), or "reset". -EINVAL: it is
 * none. */
int share_guard(struct share *share, struct slice line);

/* What was refused is told, as one object of JSON each; not all of it where there is much. */
void share_on_note(struct share *share, void (*on_note)(void *owner, struct slice note), void *owner);

/*
 * Serves one whole message (request_frame() in request.h) and appends the answer, if it has one. Negative
 * only when there is no memory for it: then nothing is appended. SHARE_LATER: a thread is at it, and
 * share_collect() gives the answer.
 */
enum { SHARE_LATER = 1 };
int share_handle(struct share *share, struct slice message, struct buf *reply);

/*
 * What may take long is left to threads from now on. They begin with the caller's rights, so that a filter
 * of its calls has to be loaded for all (SECCOMP_FILTER_FLAG_TSYNC).
 */
int share_start_threads(struct share *share, unsigned n_threads);

/* Readable when there may be an answer to collect; -1 without threads. */
int share_wake_fd(const struct share *share);

/* Appends one answer and returns 1, or 0 where there is none (yet, or with waits: at all). */
int share_collect(struct share *share, bool waits, struct buf *reply);

/* True while there is so much to do that no more requests are to be handed over. */
bool share_is_busy(const struct share *share);

/* Appends what the guest has changed (changes_write() in changes.h). */
int share_diff(struct share *share, struct buf *into);

/* What is open only for good measure is closed. Returns when to call again, in milliseconds, or -1. */
int share_rest(struct share *share);
