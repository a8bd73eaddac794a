/*
 * policy_parse and policy_judge: a rule in its canonical form is read as itself, what is allowed is allowed
 * by a rule, and no rule but one that names it opens a cloud's metadata. A line that begins with '?' is a
 * request,
 * "?HOST:PORT PATH", for the lines above it.
 */
#include "policy/address.h"
#include "policy/rule.h"

#include "fuzz.h"

#include <arpa/inet.h>

static void check_rules(const struct policy *policy)
{
	for (size_t i = 0; i < policy->n_rules; i++) {
		struct policy_rule again;

		property(rule_parse(slice_text(policy->rules[i].text), &again, NULL) == 0);
		property(strcmp(again.text, policy->rules[i].text) == 0);
		rule_done(&again);
	}
}

static bool has_address_rule(const struct policy *policy)
{
	for (size_t i = 0; i < policy->n_rules; i++)
		if (policy->rules[i].target == TARGET_ADDRESS && policy->rules[i].verb == RULE_ALLOW &&
		    policy->rules[i].prefix == 128)
			return true;
	return false;
}

static void check_request(const struct policy *policy, struct slice line)
{
	const char *blank = memchr(line.ptr, ' ', line.len);
	size_t len = blank ? (size_t)(blank - line.ptr) : line.len;
	struct in6_addr metadata;
	struct host host;
	struct policy_request request = {.host = &host, .protocol = POLICY_TLS};
	struct judgement judgement;

	if (host_parse_port(slice_of(line.ptr, len), 443, &host, &request.port) < 0)
		return;
	if (blank) {
		request.method = slice_text("GET");
		request.path = slice_skip(line, len + 1);
	}
	policy_judge(policy, &request, &judgement);
	property(judgement.verdict == VERDICT_DENY || judgement.rule);
	property(!judgement.needs_inside || !blank);
	inet_pton(AF_INET6, "::ffff:169.254.169.254", &metadata);
	property(has_address_rule(policy) || !policy_address_ok(policy, &host, request.port, &metadata));
	if (host.is_address && address_classify(&host.address) == ADDRESS_METADATA)
		property(has_address_rule(policy) || judgement.verdict == VERDICT_DENY);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	auto_policy struct policy policy = {0};
	struct slice text = slice_of(bytes, len);
	struct policy_error error;

	while (text.len > 0) {
		const char *end = memchr(text.ptr, '\n', text.len);
		size_t line_len = end ? (size_t)(end - text.ptr) : text.len;
		struct slice line = slice_of(text.ptr, line_len);

		if (line_len > 0 && line.ptr[0] == '?')
			check_request(&policy, slice_skip(line, 1));
		else if (policy_parse(line, "fuzz", &policy, &error) < 0)
			property(error.line == 1 && error.text[0]);
		text = slice_skip(text, end ? line_len + 1 : line_len);
	}
	check_rules(&policy);
	return 0;
}
