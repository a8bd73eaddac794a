/*
 * The orderly end: dockerd first, then everybody, then the disk made quiet; the answer says that it is; then
 * the power goes off. Bounded at each step.
 */
#pragma once

#include "guest/guest.h"

/* Takes the stream that asked; the answer is 204. A second request is refused. */
int shutdown_begin(struct guest *guest, struct h2_stream *stream);
