/* The requests of the control port (wire/control.h). */
#pragma once

#include "guest/guest.h"

/* For h2_ops.on_request: takes the stream, or refuses it with a negative errno. */
int control_request(struct guest *guest, struct h2_stream *stream, const char *method, const char *path);
