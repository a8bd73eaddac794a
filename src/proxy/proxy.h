/* What the parts of sbx-proxy share: one sandbox's policy, its session with the guest, and its ways out. */
#pragma once

#include "policy/policy.h"
#include "proxy/upstream.h"

#include <uv.h>

enum { PROXY_SANDBOX_BYTES = 64 };

struct proxy {
	uv_loop_t loop;
	struct policy policy; /* empty while has_policy is not set */
	bool has_policy;      /* all its layers are known */
	struct upstream upstream;
	struct resolver *resolver;
	struct journal *journal;
	struct session *session; /* NULL before the port has come */
	struct tunnel *tunnels;  /* all that live */
	unsigned n_tunnels;
	char sandbox[PROXY_SANDBOX_BYTES];
};
