#include "cli/policy-text.h"

#include <errno.h>

/* Cuts the first line off, with its end. */
static struct slice next_line(struct slice *text)
{
	const char *end = memchr(text->ptr, '\n', text->len);
	struct slice line = slice_of(text->ptr, end ? (size_t)(end - text->ptr) + 1 : text->len);

	*text = slice_skip(*text, line.len);
	return line;
}

/* As rule_parse(), for a line with its end. What cannot be read is no rule. */
static bool read_rule(struct slice line, struct policy_rule *ret)
{
	if (line.len > 0 && line.ptr[line.len - 1] == '\n')
		line.len--;
	return rule_parse(line, ret, NULL) == 0;
}

static bool has_rule(struct slice text, const char *rule)
{
	while (text.len > 0) {
		struct policy_rule other;
		bool is_same;

		if (!read_rule(next_line(&text), &other))
			continue;
		is_same = strcmp(other.text, rule) == 0;
		rule_done(&other);
		if (is_same)
			return true;
	}
	return false;
}

int policy_text_add(struct buf *text, const struct policy_rule *rule)
{
	bool has_end = text->len == 0 || buf_text(text)[text->len - 1] == '\n';

	if (has_rule(buf_slice(text), rule->text))
		return 1;
	return buf_printf(text, "%s%s\n", has_end ? "" : "\n", rule->text);
}

static bool is_for(const struct policy_rule *rule, const struct policy_rule *host)
{
	if (rule->target != host->target || rule->prefix != host->prefix)
		return false;
	if (memcmp(&rule->network, &host->network, sizeof(rule->network)) != 0)
		return false;
	if (host->host && strcmp(rule->host, host->host) != 0)
		return false;
	return host->is_web ||
	       (!rule->is_web && rule->first_port == host->first_port && rule->last_port == host->last_port);
}

int policy_text_remove(struct slice text, const struct policy_rule *host, struct buf *ret_text,
		       struct buf *ret_removed)
{
	int count = 0, r = 0;

	while (r == 0 && text.len > 0) {
		struct slice line = next_line(&text);
		struct policy_rule rule = {.text = NULL};

		if (read_rule(line, &rule) && is_for(&rule, host)) {
			r = buf_printf(ret_removed, "%s\n", rule.text);
			count++;
		} else {
			r = buf_append(ret_text, line);
		}
		rule_done(&rule);
	}
	return r < 0 ? r : count;
}
