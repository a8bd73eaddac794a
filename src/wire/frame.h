/*
 * Frames of a command's stream: one byte kind, three bytes length (big-endian), then that many bytes. They
 * travel in the body of a POST on the control port and, unchanged, between the link and the command line.
 *
 * To the guest: ARG for each word, ENV, USER, DIR, TERMINAL, SESSION as wanted, then START; from then on
 * INPUT, INPUT_END, RESIZE, SIGNAL. From the guest: STARTED or FAILED; then OUTPUT and ERROR_OUTPUT; then
 * EXIT.
 */
#pragma once

#include "base/buf.h"

#include <stdint.h>

enum {
	FRAME_HEAD_BYTES = 4,
	FRAME_BODY_MAX_BYTES = 131072, /* Linux's limit for one argument, MAX_ARG_STRLEN */
	FRAME_CHUNK_BYTES = 12288,     /* what senders put into one INPUT or OUTPUT */
};

enum frame_kind {
	FRAME_ARG = 1,   /* one argument, the program's name first */
	FRAME_ENV,       /* NAME=VALUE */
	FRAME_USER,      /* user, or user:group, by name or number */
	FRAME_DIR,       /* absolute working folder */
	FRAME_TERMINAL,  /* struct frame_size: the command gets a terminal of this size */
	FRAME_SESSION,   /* name of a terminal session: joins it where it lives, else names the new one */
	FRAME_START,     /* empty: all of the above has been said */
	FRAME_INPUT,     /* bytes for standard input */
	FRAME_INPUT_END, /* empty */
	FRAME_RESIZE,    /* struct frame_size */
	FRAME_SIGNAL,    /* one byte: number of the signal for the command's process group */
	FRAME_STARTED =
		32,   /* four bytes: process id in the guest; one byte: 1 if an existing session was joined */
	FRAME_FAILED, /* one byte: exit status to use (126, 127, 1); then a sentence */
	FRAME_OUTPUT, /* bytes of standard output, or of the terminal */
	FRAME_ERROR_OUTPUT, /* bytes of standard error */
	FRAME_EXIT,         /* one byte: exit status, 128 + signal where a signal ended it; the last frame */
};

struct frame {
	enum frame_kind kind;
	struct slice body; /* into the input */
};

/*
 * Takes one frame from the front of in. Unknown kinds, bodies over the limit and bodies whose length is wrong
 * for their kind are PARSED_BAD. On PARSED_OK *ret_used is the frame's whole length.
 */
enum parsed frame_parse(struct slice in, struct frame *ret, size_t *ret_used);

/* True for the kinds that the host sends, false for the guest's. */
bool frame_is_for_guest(enum frame_kind kind);

int frame_append(struct buf *into, enum frame_kind kind, struct slice body);

/* Rows and columns travel as two big-endian 16-bit numbers. */
struct frame_size {
	uint16_t rows, columns;
};

int frame_append_size(struct buf *into, enum frame_kind kind, struct frame_size size);
struct frame_size frame_size(struct slice body);
