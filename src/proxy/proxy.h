/* What the parts of sbx-proxy share: one sandbox's policy, its session with the guest, and its ways out. */
#pragma once

#include "policy/policy.h"
#include "policy/redirect.h"
#include "proxy/upstream.h"

#include <uv.h>

enum { PROXY_SANDBOX_BYTES = 64 };

struct proxy {
	uv_loop_t loop;
	struct policy policy; /* nothing is allowed before there is one */
	struct upstream upstream;
	struct redirects redirects;
	struct resolver *resolver;
	struct journal *journal;
	struct session *session; /* NULL before the port has come */
	struct tunnel *tunnels;  /* all that live */
	unsigned n_tunnels;
	char sandbox[PROXY_SANDBOX_BYTES];
};
