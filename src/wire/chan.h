/*
 * Messages between the supervisor and its roles: SOCK_SEQPACKET, so that one send is one receive, each a
 * fixed struct with one optional descriptor. The receiver believes nothing: a size, kind or length that is
 * wrong closes the channel.
 */
#pragma once

#include "base/buf.h"

#include <stdint.h>

enum { CHAN_BODY_MAX_BYTES = 4096 };

enum chan_kind {
	/* supervisor to link */
	CHAN_STREAM = 1, /* the descriptor is a client that wants the stream named by body (a path of
			    wire/control.h) */
	CHAN_REQUEST,    /* ask the guest: body is "METHOD PATH\n" and the request's body */
	/* link to supervisor */
	CHAN_READY, /* the guest has answered the handshake; code is its version */
	CHAN_REPLY, /* to the request of that id; code is the HTTP status, 0 if it could not be asked */
	CHAN_LOST,  /* the session is over; body says why; code 1: the engine closed its end */
};

struct chan_message {
	uint32_t kind;
	uint32_t id;
	uint32_t code;
	uint32_t body_len;
	char body[CHAN_BODY_MAX_BYTES];
};

/* Sends one. fd is borrowed, -1 for none. -EAGAIN where a non-blocking channel is full. */
int chan_send(int chan, enum chan_kind kind, uint32_t id, uint32_t code, struct slice body, int fd);

/*
 * Receives one into *ret; *ret_fd is a descriptor that the caller owns, or -1. The body is followed by a NUL.
 * Returns 1, 0 at the end, -EAGAIN where there is nothing, -EBADMSG for nonsense.
 */
int chan_receive(int chan, struct chan_message *ret, int *ret_fd);
