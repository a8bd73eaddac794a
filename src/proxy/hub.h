/*
 * A client's HTTP/2 session inside a tunnel's TLS. Each of its streams is a tunnel of its own, which carries
 * one request.
 */
#pragma once

#include "proxy/tunnel.h"

/* The tunnel's handshake is done, and HTTP/2 was agreed on. */
void hub_start(struct tunnel *tunnel);
