/* Where an HTTP request wants to go: its target and its Host field, which must say the same. Pure. */
#pragma once

#include "policy/host.h"
#include "proxy/http1.h"

enum { TARGET_MAX_BYTES = 8192 };

struct target {
	struct host name;
	uint16_t port;
	struct slice path; /* with its query; of CONNECT empty */
	bool is_connect;
};

/*
 * On a connection to name:port every request is for that host. With name NULL the client speaks to a proxy,
 * and each request names its own. Gives NULL, or why not as a sentence, with the status of the answer.
 */
const char *target_parse(const struct http1_head *head, const struct host *name, uint16_t port,
			 struct target *ret, unsigned *ret_status);
