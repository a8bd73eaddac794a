/*
 * The npm registry that this machine uses, as its npm would find it: the environment's, the user's and the
 * system's configuration. Only where it is: what opens it for this user stays on the host.
 */
#pragma once

#include "base/err.h"
#include "base/slice.h"
#include "policy/host.h"

enum { REGISTRY_URL_BYTES = 512 };

struct registry {
	char url[REGISTRY_URL_BYTES]; /* without user and password; empty where nothing says one */
	struct host host;
	uint16_t port;
};

/* *ret is empty where this machine has no registry of its own. A configuration that names none that can be
 * used is -EINVAL with a sentence. */
int registry_find(struct registry *ret, struct err *err);

/* Reads http:// and https:// URLs. Pure. -EINVAL. */
int registry_parse(struct slice url, struct registry *ret);

/* The value of `registry` in the text of an npmrc; empty where there is none. Pure. */
struct slice registry_in(struct slice npmrc);
