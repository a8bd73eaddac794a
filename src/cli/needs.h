/* What an agent has to reach, against what the policy lets its sandbox reach. */
#pragma once

#include "base/paths.h"
#include "cli/agent.h"

/* Says on standard error which of the agent's hosts the policy denies, and what allows them; nothing where it
 * denies none. */
void needs_say(const struct paths *paths, const char *sandbox, const char *agent_name,
	       const struct agent *agent);
