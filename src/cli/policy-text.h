/* Changes to a text of rules: lines come and go, everything else stays as a person has written it. Pure. */
#pragma once

#include "base/buf.h"
#include "policy/rule.h"

/* Adds the rule as the last line. Returns 1, and changes nothing, where a line says the same already. */
int policy_text_add(struct buf *text, const struct policy_rule *rule);

/*
 * Appends to *ret_text the text without the rules for that host: those of the same ports, where ports were
 * named. Appends the rules that are left out to *ret_removed, one a line. Returns their count.
 */
int policy_text_remove(struct slice text, const struct policy_rule *host, struct buf *ret_text,
		       struct buf *ret_removed);
