/* What the supervisor tells the proxy over its channel (wire/chan.h), and what it hears. */
#pragma once

#include "proxy/proxy.h"

/* Borrows the channel. */
int orders_start(struct proxy *proxy);
