/*
 * dockerd, supervised. Its socket is made here and handed over (socket activation), so that it is there from
 * the first moment: clients that come while it starts, or starts again, wait instead of failing.
 */
#pragma once

#include "guest/guest.h"

#define DOCKER_PROGRAM "/usr/sbin/dockerd"
#define DOCKER_SOCKET  "/run/docker.sock"

/* Starts it where it is installed; *ret stays NULL elsewhere. */
int docker_new(struct guest *guest, struct docker **ret);

/* Ends it, for good. on_stopped is called when it has ended, at once if it does not run. */
void docker_stop(struct docker *docker, void (*on_stopped)(void *owner), void *owner);
