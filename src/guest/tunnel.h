/*
 * Connections of programs in here, each carried to the host as one stream of the network port's session. A
 * connection that comes while there is no session waits for one, for a while.
 */
#pragma once

#include "guest/loop.h"
#include "guest/names.h"
#include "wire/h2.h"

struct tunnels;

/* Borrows loop and names. on_room is called when there was no room and is again. */
int tunnels_new(struct loop *loop, struct names *names, void (*on_room)(void *owner), void *owner,
		struct tunnels **ret);
void tunnels_free(struct tunnels *set);

/* How the streams of a session speak to their tunnels. */
extern const struct h2_ops tunnels_h2_ops;

/* Before the loop waits: writes what the streams have brought. */
void tunnels_flush(struct tunnels *set);

bool tunnels_has_room(const struct tunnels *set);

/* Takes fd, non-blocking: the connection of a program to target, "name:port". name is held meanwhile; may be
 * NULL. */
int tunnels_add(struct tunnels *set, int fd, const char *target, struct name *name);

/* A session begins, and what has waited is asked for; or it is over (NULL), and what it carries is reset when
 * its streams are closed. */
void tunnels_set_session(struct tunnels *set, struct h2 *h2);

/* Closes a connection so that its program sees a reset. */
void tunnel_refuse(int fd);
