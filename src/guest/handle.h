/* Finding what the server knows by a number in the guest's own view of the mount, which may be an O_PATH
 * descriptor. */
#pragma once

#include <stdint.h>

/* Opens what has that number, if the kernel still knows it. Returns the descriptor or a negative errno. */
int handle_open(int tree, uint64_t nodeid, int flags);
