/*
 * What takes long and would hold up the event loop: done by this program itself, started anew as an ordinary
 * process under another name, and answered with 204, 409 where something is in use, or 500 where it failed.
 */
#pragma once

#include "guest/guest.h"

/* Takes the stream that asked. name is the task's, as task_main() knows it; it gets the request's body. */
int task_begin(struct guest *guest, struct h2_stream *stream, const char *name);

/* For main(): runs the task and gives the exit status; -1 where there is none of that name. */
int task_main(const char *name, const char *body);
