/* One rule: what a line says. For whoever lists and edits rules; judging is policy.h's. */
#pragma once

#include "base/err.h"
#include "policy/policy.h"

enum rule_verb { RULE_ALLOW, RULE_DENY, RULE_INSPECT };

enum policy_target {
	TARGET_NAME,    /* example.com */
	TARGET_LABEL,   /* *.example.com: one label before it */
	TARGET_DEEP,    /* **.example.com: any number of labels before it, at least one */
	TARGET_ANY,     /* ** */
	TARGET_ADDRESS, /* 10.0.0.0/8 */
};

struct policy_rule {
	enum rule_verb verb;
	enum policy_target target;
	uint16_t first_port, last_port; /* 0, 65535: any */
	bool is_web;                    /* no port was named: 80 and 443, for a deny any */
	bool is_tcp, is_private;
	struct in6_addr network; /* TARGET_ADDRESS */
	unsigned prefix;
	const char *source; /* borrowed */
	unsigned line;
	char *text; /* owned: the rule in its canonical form */
	char *host; /* owned: the name behind any stars and their dot; NULL where there is none */
	size_t host_len;
	char *methods; /* owned: "GET,HEAD"; NULL for any */
	char *path;    /* owned: a canonical pattern; NULL for any */
};

/* Reads one line, without its end, and gives the rule, to be ended with rule_done(). 1 when it holds none. */
int rule_parse(struct slice line, struct policy_rule *ret, struct err *err);
void rule_done(struct policy_rule *rule);

/* "HOST[:PORT]" of its canonical form. */
struct slice rule_target(const struct policy_rule *rule);
