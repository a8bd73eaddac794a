/* The verbs of 'sbx policy', one for each thing that a person does with rules. */
#pragma once

#include "base/paths.h"

struct policy_verb {
	const char *name, *summary;
	/* argv[0] is the verb. Returns the exit status. */
	int (*run)(int argc, char **argv);
};

extern const struct policy_verb policy_init_verb, policy_allow, policy_deny, policy_ls, policy_rm,
	policy_check, policy_apply, policy_reset, policy_log;

/*
 * Sees to it that there are rules, however few: asks for a preset on a terminal, takes "balanced" without
 * one. A question of the first use.
 */
int policy_choose(const struct paths *paths, struct err *err);

/* Asks on the terminal; -EPERM without one, as what was not done is to be asked for with --force. */
int policy_confirm(const char *question, struct err *err);
