/*
 * The guest's end of a port that carries HTTP/2: handshake, packets, and the session in them. Which end of
 * the session this is, and what its streams are, is its owner's to say.
 */
#pragma once

#include "base/buf.h"
#include "guest/loop.h"
#include "wire/h2.h"

struct port;

struct port_ops {
	/* The host has said HELLO: make the session, which the port owns. */
	int (*on_begin)(void *owner, struct h2 **ret);
	/* The session is over: its streams are closed next. May be NULL. */
	void (*on_end)(void *owner);
};

/* Takes fd, non-blocking. Borrows loop and ops; owner goes to ops. */
int port_new(struct loop *loop, int fd, const struct port_ops *ops, void *owner, struct port **ret);
void port_free(struct port *port);

/* Finds the device of the port with that name; opens it non-blocking. Returns the descriptor or a negative
 * errno. */
int port_open(const char *name);

/* Writes what can be written at once. True when nothing is left to be written. */
bool port_flush(struct port *port);

/*
 * Writes what no session outlives. A program that takes over the port from one that has died is heard of that
 * way by a host that would go on with the old session; one that has just said HELLO drops it unseen.
 */
int port_break_session(struct port *port);
