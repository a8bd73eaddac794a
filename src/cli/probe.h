/* Is KVM usable here? Says so on standard error when it is not, once for each boot of the host. */
#pragma once

#include "engine/engine.h"

int probe_and_say(const struct paths *paths, struct engine_probe *ret, struct err *err);
