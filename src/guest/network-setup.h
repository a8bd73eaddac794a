/*
 * The machine's network, which is none: an interface that leads nowhere, and rules that turn whatever would
 * leave by it to the listener in here (network.h).
 */
#pragma once

/* The interface's own addresses, where the listener and the resolver are. */
#define NETWORK_V4        "198.18.0.1"
#define NETWORK_V6        "fd53:4258::1"
#define NETWORK_PORT_TEXT "15001"

enum { NETWORK_PORT = 15001 };

/* Once, before anything is started: interface, rules and /etc/resolv.conf. What fails is said on the console.
 */
void network_prepare(void);
