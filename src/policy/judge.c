#include "policy/address.h"
#include "policy/path.h"
#include "policy/rule.h"

#include <strings.h>

enum fit { FIT_NO, FIT_YES, FIT_UNKNOWN };

/* A request with what is found out once for all rules. */
struct question {
	const struct policy_request *request;
	size_t name_len;
	char path[PATH_TEXT_BYTES];
	bool has_path; /* path is its canonical form */
};

/* ---- hosts and ports ---- */

static bool fits_port(const struct policy_rule *rule, uint16_t port)
{
	if (rule->is_web && rule->verb == RULE_DENY)
		return true;
	if (rule->is_web)
		return port == rule->first_port || port == rule->last_port;
	return port >= rule->first_port && port <= rule->last_port;
}

/*
 * Denying takes a network as it is. Allowing one that is wider than a special range does not mean what is in
 * the range: "0.0.0.0/0" means everybody, not this machine.
 */
static bool names_address(const struct policy_rule *rule, const struct in6_addr *address)
{
	static const struct in6_addr ipv4 = {{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0}}};
	const struct in6_addr plain = address_plain(address);
	const struct address_range *range = address_special(&plain);

	if (rule->target != TARGET_ADDRESS || !address_in(&plain, &rule->network, rule->prefix))
		return false;
	if (rule->prefix < 96 && address_in(&plain, &ipv4, 96))
		return false;
	return rule->verb == RULE_DENY || !range || rule->prefix >= range->prefix;
}

static bool fits_any(const struct policy_rule *rule, const struct host *host)
{
	if (rule->verb == RULE_DENY)
		return true;
	return host->is_address ? address_classify(&host->address) == ADDRESS_PUBLIC : !host_is_local(host);
}

/* Whether the name is the rule's with labels in front: one, or any number. */
static bool fits_below(const struct policy_rule *rule, const char *name, size_t len)
{
	size_t front = len - rule->host_len - 1;

	if (len < rule->host_len + 2 || name[front] != '.' ||
	    memcmp(name + front + 1, rule->host, rule->host_len) != 0)
		return false;
	return rule->target == TARGET_DEEP || !memchr(name, '.', front);
}

static bool fits_host(const struct policy_rule *rule, const struct host *host, size_t name_len)
{
	switch (rule->target) {
	case TARGET_ANY:
		return fits_any(rule, host);
	case TARGET_ADDRESS:
		return host->is_address && names_address(rule, &host->address);
	case TARGET_NAME:
		return !host->is_address && rule->host_len == name_len &&
		       memcmp(rule->host, host->text, name_len) == 0;
	case TARGET_LABEL:
	case TARGET_DEEP:
		return !host->is_address && fits_below(rule, host->text, name_len);
	}
	return false;
}

/* ---- methods and paths ---- */

/* Methods are told apart by case (RFC 9110, 9.1), and some servers do not: a denial holds for all of them. */
static bool has_method(const char *list, struct slice method, bool ignores_case)
{
	for (;;) {
		size_t len = strcspn(list, ",");

		if (len == method.len &&
		    (ignores_case ? strncasecmp(list, method.ptr, len) : memcmp(list, method.ptr, len)) == 0)
			return true;
		if (list[len] == '\0')
			return false;
		list += len + 1;
	}
}

/* What cannot be seen is denied by a rule that denies some of it; rules that allow some never fit it. */
static enum fit fits_inside(const struct policy_rule *rule, const struct question *question)
{
	const struct policy_request *request = question->request;
	bool is_deny = rule->verb == RULE_DENY;

	if (!rule->methods && !rule->path)
		return FIT_YES;
	if (request->protocol == POLICY_TCP)
		return is_deny ? FIT_YES : FIT_NO;
	if (request->method.len == 0)
		return FIT_UNKNOWN;
	if (rule->methods && !has_method(rule->methods, request->method, is_deny))
		return FIT_NO;
	if (!rule->path)
		return FIT_YES;
	if (!question->has_path)
		return is_deny ? FIT_YES : FIT_NO;
	return path_matches(rule->path, question->path, is_deny) ? FIT_YES : FIT_NO;
}

/* ---- the verdict ---- */

static enum fit fits(const struct policy_rule *rule, const struct question *question)
{
	const struct policy_request *request = question->request;

	if (!fits_port(rule, request->port) || !fits_host(rule, request->host, question->name_len))
		return FIT_NO;
	if (rule->verb == RULE_ALLOW && request->protocol == POLICY_TCP && !rule->is_tcp)
		return FIT_NO;
	return fits_inside(rule, question);
}

static struct judgement judgement(enum verdict verdict, bool needs_inside, const struct policy_rule *rule)
{
	return (struct judgement){.verdict = verdict,
				  .needs_inside = needs_inside,
				  .rule = rule ? rule->text : NULL,
				  .line = rule ? rule->line : 0,
				  .source = rule ? rule->source : NULL};
}

/* The first rule of each kind that counts. */
struct found {
	const struct policy_rule *deny, *maybe_deny, *allow, *maybe_allow, *inspect;
};

static void note(struct found *found, const struct policy_rule *rule, enum fit fit)
{
	const struct policy_rule **slot = NULL;

	switch (rule->verb) {
	case RULE_DENY:
		slot = fit == FIT_YES ? &found->deny : &found->maybe_deny;
		break;
	case RULE_ALLOW:
		slot = fit == FIT_YES ? &found->allow : &found->maybe_allow;
		break;
	case RULE_INSPECT:
		slot = &found->inspect;
		break;
	}
	if (slot && !*slot)
		*slot = rule;
}

static struct judgement weigh(const struct found *found, const struct policy_request *request)
{
	if (found->deny)
		return judgement(VERDICT_DENY, false, found->deny);
	if (!found->allow && !found->maybe_allow)
		return judgement(VERDICT_DENY, false, NULL);
	/* Nobody can look into it. */
	if (found->inspect && request->protocol == POLICY_TCP)
		return judgement(VERDICT_DENY, false, found->inspect);
	if (found->maybe_deny)
		return judgement(VERDICT_DENY, true, found->maybe_deny);
	if (!found->allow)
		return judgement(VERDICT_DENY, true, found->maybe_allow);
	return judgement(VERDICT_ALLOW, found->inspect && request->method.len == 0, found->allow);
}

void policy_judge(const struct policy *policy, const struct policy_request *request, struct judgement *ret)
{
	struct question question = {.request = request, .name_len = strlen(request->host->text)};
	struct found found = {.deny = NULL};

	question.has_path = request->method.len > 0 && path_canonical(request->path, question.path) == 0;
	for (size_t i = 0; i < policy->n_rules && !found.deny; i++) {
		enum fit fit = fits(&policy->rules[i], &question);

		if (fit != FIT_NO)
			note(&found, &policy->rules[i], fit);
	}
	*ret = weigh(&found, request);
}

/* ---- addresses that names lead to ---- */

/* Whether the rule means that special address when the connection was asked for by that name. */
static bool opens_address(const struct policy_rule *rule, const struct host *name,
			  const struct in6_addr *address)
{
	enum address_class class = address_classify(address);

	if (rule->verb != RULE_ALLOW)
		return false;
	/* A rule for some paths at an address means the address, not every name that leads there. */
	if (names_address(rule, address))
		return name->is_address || (!rule->methods && !rule->path);
	if (rule->target == TARGET_ANY || !fits_host(rule, name, strlen(name->text)))
		return false;
	return (rule->is_private && class == ADDRESS_PRIVATE) ||
	       (host_is_local(name) && class == ADDRESS_LOOPBACK);
}

bool policy_address_ok(const struct policy *policy, const struct host *name, uint16_t port,
		       const struct in6_addr *address)
{
	bool is_ok = !address_special(address);

	for (size_t i = 0; i < policy->n_rules; i++) {
		const struct policy_rule *rule = &policy->rules[i];

		if (!fits_port(rule, port))
			continue;
		if (rule->verb == RULE_DENY && !rule->methods && !rule->path && names_address(rule, address))
			return false;
		if (!is_ok && opens_address(rule, name, address))
			is_ok = true;
	}
	return is_ok;
}
