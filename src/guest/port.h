/* The guest's end of the control port: handshake, packets, and the HTTP/2 session in them. */
#pragma once

#include "guest/guest.h"

/* Takes fd, non-blocking. Requests go to control_request(). */
int port_new(struct guest *guest, int fd, struct port **ret);
void port_free(struct port *port);

/* Finds the device of the port with that name; opens it non-blocking. Returns the descriptor or a negative
 * errno. */
int port_open(const char *name);

/* Writes what can be written at once. True when nothing is left to be written. */
bool port_flush(struct port *port);
