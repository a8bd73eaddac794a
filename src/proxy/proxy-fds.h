/* The proxy's descriptors: what its supervisor hands it, and all that it has. The rest comes over the
 * channel. */
#pragma once

enum { PROXY_CHANNEL_FD = 3, PROXY_FDS = 4 };
