/* A question of the supervisor's to the guest: a small body there, a small one back, then it is over. */
#pragma once

#include "link/session.h"

enum { REQUEST_FILE_MAX_BYTES = 4 << 20 };

/*
 * text is "METHOD PATH\n" and a body, to which the content of the file is added, -1 for none; at most
 * REQUEST_FILE_MAX_BYTES. The answer goes to channel (borrowed) as CHAN_REPLY with that id.
 */
int request_start(struct session *session, int channel, uint32_t id, struct slice text, int file);
