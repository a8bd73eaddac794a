#include "cli/needs.h"

#include "base/log.h"
#include "cli/policy-files.h"

enum { HTTPS_PORT = 443 };

struct needs {
	const struct policy *policy;
	const char *sandbox, *agent_name;
};

static void say(const struct needs *needs, const char *name)
{
	struct policy_request request = {.protocol = POLICY_TLS};
	struct judgement judgement;
	struct host host;
	uint16_t port;

	/* A pattern is more than one host, and nothing can be said of it. */
	if (host_parse_port(slice_text(name), HTTPS_PORT, &host, &port) < 0)
		return;
	request.host = &host;
	request.port = port;
	policy_judge(needs->policy, &request, &judgement);
	if (judgement.verdict == VERDICT_ALLOW || judgement.needs_inside)
		return;
	if (judgement.rule)
		log_line("'%s' needs %s, which the rule '%s' denies", needs->agent_name, name,
			 judgement.rule);
	else
		log_line("'%s' needs %s, which no rule allows: 'sbx policy allow network --sandbox %s %s' "
			 "does",
			 needs->agent_name, name, needs->sandbox, name);
}

void needs_say(const struct paths *paths, const char *sandbox, const char *agent_name,
	       const struct agent *agent)
{
	auto_policy_all struct policy_all all = POLICY_ALL_NONE;
	const struct needs needs = {.policy = &all.policy, .sandbox = sandbox, .agent_name = agent_name};

	/* Whoever starts the sandbox hears of rules that cannot be read. */
	if (policy_all_load(paths, sandbox, &all, NULL) < 0)
		return;
	for (const char *const *host = agent->hosts.items; *host; host++)
		say(&needs, *host);
}
