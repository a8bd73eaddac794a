/* What the rules mean for one target, and why. */
#include "cli/command.h"
#include "cli/options.h"
#include "cli/policy-files.h"
#include "cli/policy.h"

#include "policy/address.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { WEB_PORT = 80, TLS_PORT = 443, SSH_PORT = 22 };

struct check_call {
	const char *sandbox, *method;
	bool is_tcp;
};

static const struct option_row check_rows[] = {
	{"sandbox", 0, OPTION_TEXT, offsetof(struct check_call, sandbox), "NAME", "for this sandbox"},
	{"method", 0, OPTION_TEXT, offsetof(struct check_call, method), "METHOD", "of a URL (default GET)"},
	{"tcp", 0, OPTION_FLAG, offsetof(struct check_call, is_tcp), NULL,
	 "another protocol than HTTP and TLS"},
	{0},
};

static const struct options check_options = {
	.rows = check_rows,
	.usage = "sbx policy check network [OPTIONS] TARGET",
	.text = "Says whether TARGET, a URL or HOST[:PORT] (port 443 if none is named), can be reached, and "
		"which\n"
		"rule decides. Status 0: allowed, 1: denied. Names are not resolved.",
};

struct target {
	struct host host;
	struct policy_request request;
};

/* The scheme gives port and protocol. Cuts it off. */
static int take_scheme(struct slice *text, uint16_t *ret_port, enum policy_protocol *ret, struct err *err)
{
	static const struct {
		const char *scheme;
		uint16_t port;
		enum policy_protocol protocol;
	} schemes[] = {{"https", TLS_PORT, POLICY_TLS}, {"http", WEB_PORT, POLICY_HTTP},
		       {"wss", TLS_PORT, POLICY_TLS},   {"ws", WEB_PORT, POLICY_HTTP},
		       {"ssh", SSH_PORT, POLICY_TCP},   {"tcp", 0, POLICY_TCP}};
	const char *end = memmem(text->ptr, text->len, "://", 3);
	size_t len = end ? (size_t)(end - text->ptr) : 0;

	if (!end)
		return 0;
	for (size_t i = 0; i < array_len(schemes); i++) {
		if (strlen(schemes[i].scheme) == len && strncasecmp(text->ptr, schemes[i].scheme, len) == 0) {
			*ret_port = schemes[i].port;
			*ret = schemes[i].protocol;
			*text = slice_skip(*text, len + 3);
			return 0;
		}
	}
	return err_set(err, -EINVAL,
		       "'%.*s' is not a scheme that is known here: https, http, wss, ws, ssh, tcp", (int)len,
		       text->ptr);
}

/* The user part of a URL is not sent as a host's name. */
static struct slice skip_user(struct slice authority)
{
	const char *at = authority.len > 0 ? memrchr(authority.ptr, '@', authority.len) : NULL;

	return at ? slice_skip(authority, (size_t)(at - authority.ptr) + 1) : authority;
}

static int parse_target(const struct check_call *call, const char *word, struct target *ret, struct err *err)
{
	struct slice text = slice_text(word), path = slice_text(""), authority;
	uint16_t port = TLS_PORT;
	bool is_url;
	int r;

	ret->request = (struct policy_request){.host = &ret->host, .protocol = POLICY_TLS};
	r = take_scheme(&text, &port, &ret->request.protocol, err);
	if (r < 0)
		return r;
	is_url = text.ptr != word && ret->request.protocol != POLICY_TCP;
	authority = slice_of(text.ptr, strcspn(text.ptr, is_url ? "/?#" : ""));
	if (is_url && authority.len < text.len) {
		path = slice_skip(text, authority.len);
		path.len = strcspn(path.ptr, "#");
	}
	if (host_parse_port(skip_user(authority), port, &ret->host, &ret->request.port) < 0)
		return err_set(err, -EINVAL, "'%s' is not a URL or HOST[:PORT]", word);
	if (!is_url && ret->request.port == WEB_PORT)
		ret->request.protocol = POLICY_HTTP;
	if (call->is_tcp)
		ret->request.protocol = POLICY_TCP;
	if (is_url || call->method) {
		ret->request.method = slice_text(call->method ? call->method : "GET");
		ret->request.path = path.len > 0 && path.ptr[0] == '/' ? path : slice_text("/");
	}
	return 0;
}

static void print_rule(const struct judgement *judgement)
{
	printf("  by '%s' (%s, line %u)\n", judgement->rule, judgement->source, judgement->line);
}

/* Why no rule fits, as far as it is not plain. */
static void print_reason(const struct target *target, const struct judgement *judgement, const char *sandbox)
{
	const struct host *host = &target->host;
	bool is_tcp = target->request.protocol == POLICY_TCP;
	char text[HOST_PORT_TEXT_BYTES];

	if (judgement->rule) {
		print_rule(judgement);
		if (judgement->needs_inside)
			printf("  which goes by method and path: check a URL\n");
		return;
	}
	host_format(host, target->request.port, text);
	printf("  no rule allows it\n");
	if (host->is_address && address_classify(&host->address) != ADDRESS_PUBLIC)
		printf("  %s %s: only a rule that names it counts\n", host->text,
		       address_class_text(address_classify(&host->address)));
	printf("  'sbx policy allow network %s%s%s%s' would\n", text, is_tcp ? " --tcp" : "",
	       sandbox ? " --sandbox " : "", sandbox ? sandbox : "");
}

static int check(const struct check_call *call, const struct target *target, struct err *err)
{
	auto_policy_all struct policy_all all = POLICY_ALL_NONE;
	struct judgement judgement;
	char text[HOST_PORT_TEXT_BYTES];
	struct paths paths;
	int r = paths_open(&paths, err);

	r = r < 0 ? r : policy_all_load(&paths, call->sandbox, &all, err);
	if (r < 0)
		return r;
	policy_judge(&all.policy, &target->request, &judgement);
	host_format(&target->host, target->request.port, text);
	printf("%s: %s\n", judgement.verdict == VERDICT_ALLOW ? "Allowed" : "Denied", text);
	if (judgement.verdict == VERDICT_ALLOW)
		print_rule(&judgement);
	else
		print_reason(target, &judgement, call->sandbox);
	return judgement.verdict == VERDICT_ALLOW ? 0 : 1;
}

static int run_check(int argc, char **argv)
{
	struct check_call call = {0};
	struct target target;
	struct words words;
	struct err err;
	enum options_result result = options_parse(&check_options, argc, argv, &call, &words, &err);
	int r;

	if (result == OPTIONS_HELP)
		return 0;
	if (result == OPTIONS_OK && (words.count != 2 || strcmp(words.items[0], "network") != 0)) {
		err_set(&err, 0, "sbx policy check takes 'network' and a URL or HOST[:PORT]");
		result = OPTIONS_BAD;
	}
	if (result == OPTIONS_BAD || parse_target(&call, words.items[1], &target, &err) < 0)
		return command_misuse("policy check", &err);
	r = check(&call, &target, &err);
	return r < 0 ? command_fail(&err) : r;
}

const struct policy_verb policy_check = {
	.name = "check", .summary = "say whether a host can be reached, and why", .run = run_check};
