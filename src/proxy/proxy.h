/* What the parts of sbx-proxy share: one sandbox's policy, its session with the guest, and its ways out. */
#pragma once

#include "policy/policy.h"
#include "policy/redirect.h"
#include "proxy/inject.h"
#include "proxy/upstream.h"

#include <uv.h>

enum { PROXY_SANDBOX_BYTES = 64 };

struct proxy {
	uv_loop_t loop;
	struct policy policy; /* empty while has_policy is not set */
	bool has_policy;      /* all its layers are known */
	struct upstream upstream;
	struct inject inject;
	bool has_lost_secrets; /* the vault knows less than inject does, until it is given all anew */
	struct redirects redirects;
	struct buf redirects_text;
	struct resolver *resolver;
	struct journal *journal;
	struct tls_settings *tls;
	struct vault *vault;
	struct leaves *leaves;
	struct session *session; /* NULL before the port has come */
	struct tunnel *tunnels;  /* all that live */
	struct ways *ways;       /* to servers, of which there may be more */
	unsigned n_kept_ways;    /* of these, those that nobody uses */
	unsigned n_tunnels;
	unsigned n_streams; /* of these, streams of sessions inside TLS */
	char sandbox[PROXY_SANDBOX_BYTES];
};
