/*
 * The process that carries connections to the host (outward.h): this program under another name, started
 * again when it ends.
 */
#pragma once

#include "guest/guest.h"

int network_new(struct guest *guest, struct network **ret);

/* For task.h: what the process does. Returns only when it fails. */
int network_run(void);
