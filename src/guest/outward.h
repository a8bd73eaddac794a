/*
 * The way out: every connection that a program in here makes to the outside ends up at these sockets (the
 * rules in network.c see to that), and leaves as a stream of the network port that names where it wanted to
 * go. Nothing is judged here: this side belongs to whoever is root in the guest.
 */
#pragma once

#include "guest/loop.h"

#include <sys/socket.h>

/* All non-blocking, and -1 where there is none. */
struct outward_place {
	int port; /* the device of the network port */
	int listener[2];
	int udp, tcp; /* the resolver's */
	/* Where an accepted connection wanted to go; 0 or a negative errno. */
	int (*find_target)(int fd, struct sockaddr_storage *ret);
};

struct outward;

/* Takes the descriptors, even when it fails. Borrows loop. */
int outward_new(struct loop *loop, const struct outward_place *place, struct outward **ret);
void outward_free(struct outward *outward);
