#include "policy/policy.h"

#include "policy/rule.h"

#include <errno.h>
#include <stdio.h>

enum { ROOM_FIRST = 64 };

void policy_init(struct policy *policy)
{
	*policy = (struct policy){.rules = NULL};
}

static void truncate_to(struct policy *policy, size_t count)
{
	while (policy->n_rules > count)
		rule_done(&policy->rules[--policy->n_rules]);
}

void policy_done(struct policy *policy)
{
	truncate_to(policy, 0);
	free(policy->rules);
	policy_init(policy);
}

static int add(struct policy *policy, const struct policy_rule *rule)
{
	if (policy->n_rules == policy->room) {
		size_t room = policy->room > 0 ? policy->room * 2 : ROOM_FIRST;
		struct policy_rule *grown = realloc(policy->rules, room * sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		policy->rules = grown;
		policy->room = room;
	}
	policy->rules[policy->n_rules++] = *rule;
	return 0;
}

static int take_line(struct policy *policy, struct slice text, unsigned line, const char *source,
		     struct err *err)
{
	struct policy_rule rule;
	int r = rule_parse(text, &rule, err);

	if (r != 0)
		return r;
	rule.source = source;
	rule.line = line;
	r = policy->n_rules == POLICY_RULES_MAX
		    ? err_set(err, -E2BIG, "there are more than %d rules%s", POLICY_RULES_MAX,
			      strcmp(policy->rules[0].source, source) == 0 ? ""
									   : ", the global ones included")
		    : add(policy, &rule);
	if (r < 0)
		rule_done(&rule);
	return r;
}

int policy_parse(struct slice text, const char *source, struct policy *into, struct policy_error *ret)
{
	size_t before = into->n_rules;
	unsigned line = 0;
	struct err err = {.text = "memory is short"};
	int r = 0;

	if (text.len > POLICY_TEXT_MAX_BYTES)
		r = err_set(&err, -EFBIG, "it is longer than %d bytes", POLICY_TEXT_MAX_BYTES);
	while (r >= 0 && text.len > 0) {
		const char *end = memchr(text.ptr, '\n', text.len);
		size_t len = end ? (size_t)(end - text.ptr) : text.len;

		r = take_line(into, slice_of(text.ptr, len), ++line, source, &err);
		text = slice_skip(text, end ? len + 1 : len);
	}
	if (r >= 0)
		return 0;
	truncate_to(into, before);
	ret->line = line;
	snprintf(ret->text, sizeof(ret->text), "%.*s", (int)sizeof(ret->text) - 1, err.text);
	return r == -ENOMEM ? r : -EINVAL;
}
