/*
 * Decides what a sandbox may reach. Rules are lines of text (sbx-policy(5)); what no rule allows is denied,
 * and deny beats allow. Pure: no I/O, no clock; judging allocates nothing.
 */
#pragma once

#include "policy/host.h"

enum {
	POLICY_TEXT_MAX_BYTES = 1 << 20,
	POLICY_LINE_MAX_BYTES = 1024,
	POLICY_RULES_MAX = 4096, /* of all layers */
	POLICY_ERROR_BYTES = 256,
};

struct policy_rule;

struct policy {
	struct policy_rule *rules; /* owned */
	size_t n_rules, room;
};

void policy_init(struct policy *policy);
void policy_done(struct policy *policy);
#define auto_policy __attribute__((cleanup(policy_done)))

struct policy_error {
	unsigned line; /* counted from 1; 0: the text as a whole */
	char text[POLICY_ERROR_BYTES];
};

/*
 * Adds the rules of a text as one more layer, or changes nothing. source says where they come from
 * ("global"); borrowed for as long as the policy lives. -EINVAL with *ret filled, -ENOMEM.
 */
int policy_parse(struct slice text, const char *source, struct policy *into, struct policy_error *ret);

enum policy_protocol { POLICY_HTTP, POLICY_TLS, POLICY_TCP /* anything else */ };
enum verdict { VERDICT_DENY, VERDICT_ALLOW };

/*
 * A connection, or one request on it. While the inside of a connection is not known, method is empty; with a
 * method, a path that is empty or has no canonical form (policy/path.h) fits no rule that allows a path, and
 * every rule that denies one.
 */
struct policy_request {
	const struct host *host;
	uint16_t port;
	enum policy_protocol protocol;
	struct slice method, path; /* path as in the request, a query may follow */
};

/*
 * needs_inside: the connection has to be opened and each request in it judged. With VERDICT_DENY the answer
 * depends on method or path, and is "no" to whoever cannot look; with VERDICT_ALLOW the rule "inspect" wants
 * it. Never set when a method was given.
 */
struct judgement {
	enum verdict verdict;
	bool needs_inside;
	const char
		*rule; /* text of the rule that decided (of one that might, with needs_inside); NULL: none */
	unsigned line;
	const char *source;
};

void policy_judge(const struct policy *policy, const struct policy_request *request, struct judgement *ret);

/*
 * Whether the connection to that name, which was allowed, may go to that address. Others than public ones
 * only where a rule names them, or says so for that very name ("private", localhost).
 */
bool policy_address_ok(const struct policy *policy, const struct host *name, uint16_t port,
		       const struct in6_addr *address);
