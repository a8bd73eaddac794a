/* Writing a sandbox's description; sandbox_load() in sandbox.h reads it. */
#pragma once

#include "supervisor/sandbox.h"

int sandbox_save(int dir_fd, const struct sandbox *sandbox, struct err *err);
