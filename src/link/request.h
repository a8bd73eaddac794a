/* A question of the supervisor's to the guest: a small body there, a small one back, then it is over. */
#pragma once

#include "link/session.h"

/* body is "METHOD PATH\n" and what follows. The answer goes to channel (borrowed) as CHAN_REPLY with that id.
 */
int request_start(struct session *session, int channel, uint32_t id, struct slice body);
