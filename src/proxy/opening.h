/* A tunnel until it is known what it carries, and then until it is connected. */
#pragma once

#include "proxy/tunnel.h"

void opening_start(struct tunnel *tunnel);

/* The same for what an HTTP client has asked the proxy to connect to: the host is set, the client was told
 * "yes". */
void opening_restart(struct tunnel *tunnel);
