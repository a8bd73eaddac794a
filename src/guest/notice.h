/*
 * What the host has to tell of its own accord: invalidations for the kernel, and touches, so that programs
 * that watch files hear of a change. On a thread of its own, because the kernel may make it wait for a
 * request that is not answered yet.
 */
#pragma once

#include "base/slice.h"
#include "guest/relay.h"

struct notices;

int notices_new(const struct relay_place *place, struct notices **ret);

/* A whole message, head included. Where there are too many, everything that is not in use is dropped instead.
 */
void notices_add(struct notices *notices, struct slice message);
