/*
 * What the supervisor asks of the server of a folder, over its channel (wire/chan.h), and the sessions that
 * come of it. The channel's end, or nonsense on it, is the end; a port's is not.
 */
#pragma once

#include "share/share.h"

struct server;

/* Borrows share; channel stays the caller's. */
int server_new(struct share *share, int channel, struct server **ret);
void server_free(struct server *server);

/* Waits for something to do and does it. Negative: the server's end, -EPIPE where the channel was closed. */
int server_turn(struct server *server);
