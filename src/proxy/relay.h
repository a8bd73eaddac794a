/* A tunnel whose bytes pass both ways untouched, until both sides have ended. */
#pragma once

#include "proxy/tunnel.h"

/* Takes fd. */
void relay_start(struct tunnel *tunnel, int fd);

/* Takes outlet: what was an HTTP connection goes on as something else. */
void relay_go_on(struct tunnel *tunnel, struct outlet *outlet);
