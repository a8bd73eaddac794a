/*
 * Keeps what is guarded (wire/guard.h) as it is: each operation asks here before it changes anything. A path
 * is the one that the kernel knows at that moment, and everything that changes names goes through here one
 * after the other, so that the guest itself cannot make a judgement untrue before it is acted upon.
 *
 * All of these give 0, or what the guest is answered: -EACCES, and whoever looks after the sandbox is told.
 */
#pragma once

#include "share/judge.h"
#include "share/links.h"

struct share;
struct inode;
struct statx;

enum { GUARD_NOTES_MAX = 64, GUARD_NOTE_AGAIN_MS = 60000 };

struct guard {
	struct judge_rules rules;
	struct links links;
	void (*on_note)(void *owner, struct slice note);
	void *owner;
	/* What was told lately: the same again, or more than that in the time, is not. */
	struct guard_note {
		uint64_t hash;
		int64_t at_ms;
	} notes[GUARD_NOTES_MAX];
};

void guard_done(struct guard *guard);

/* Before something is made in a folder, by that act. *ret_place: where it will lie. */
int guard_make(struct share *share, struct inode *dir, const char *name, enum judge_act act,
	       enum guard_place *ret_place);

/* After that: it lies there. */
void guard_made(struct share *share, struct inode *dir, const char *name);

int guard_link(struct share *share, struct inode *old, struct inode *dir, const char *name);
int guard_remove(struct share *share, struct inode *dir, const char *name, bool is_folder);

struct guard_end {
	struct inode *dir;
	const char *name;
};

/* 1: it has been moved already, as a copy. */
int guard_move(struct share *share, const struct guard_end *from, const struct guard_end *into,
	       unsigned flags);

/* Before a descriptor for writing is made. -EINPROGRESS: a thread finds out, and the request is served again.
 */
int guard_write(struct share *share, struct inode *inode);

/* Before its mode, owner or times are changed; with is_time nothing else. */
int guard_change(struct share *share, struct inode *inode, bool is_time);

/* Before that is written to an inode with is_pointer; anything else than writing it whole is refused. */
int guard_write_pointer(struct share *share, struct inode *inode, uint64_t at, struct slice bytes);
