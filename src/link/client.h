/*
 * A program on the host that has a stream to the guest: bytes from it go into the request's body as they are;
 * what comes back is cut into frames, checked, and passed on whole.
 */
#pragma once

#include "link/session.h"

/* Takes fd, even when it fails; the client then hears the connection end. */
int client_start(uv_loop_t *loop, struct session *session, int fd, const char *path);
