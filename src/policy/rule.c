#include "policy/rule.h"

#include "policy/address.h"
#include "policy/path.h"

#include <errno.h>
#include <stdio.h>

enum {
	WORDS_MAX = 8,
	METHOD_MAX_BYTES = 32,
	METHODS_MAX = 16,
	PORT_ANY_LAST = 65535,
	WEB_FIRST = 80,
	WEB_LAST = 443
};

/* The short form of "allow **:* tcp". */
#define ALL        "allow-all"
#define ALL_TARGET "**:*"

/* What a line is made of; everything points into the line. */
struct words {
	const char *items[WORDS_MAX];
	size_t count;
};

static const char *const verb_names[] = {
	[RULE_ALLOW] = "allow", [RULE_DENY] = "deny", [RULE_INSPECT] = "inspect"};

/* ---- the host and its port ---- */

static int parse_ports(const char *text, struct policy_rule *rule, struct err *err)
{
	const char *dash = strchr(text, '-');
	size_t len = dash ? (size_t)(dash - text) : strlen(text);

	if (strcmp(text, "*") == 0) {
		rule->first_port = 0;
		rule->last_port = PORT_ANY_LAST;
		return 0;
	}
	if (host_port(slice_of(text, len), &rule->first_port) < 0 ||
	    host_port(slice_text(dash ? dash + 1 : text), &rule->last_port) < 0 ||
	    rule->first_port > rule->last_port)
		return err_set(err, -EINVAL, "'%s' is not a port, a range such as 8000-8999, or '*'", text);
	return 0;
}

/* Cuts the port off; what is left is the host without brackets. -EINVAL without a sentence. */
static int split(char *target, char **ret_host, const char **ret_port)
{
	char *colon = strrchr(target, ':'), *end;

	*ret_host = target;
	*ret_port = NULL;
	if (target[0] == '[') {
		end = strchr(target, ']');
		if (!end || (end[1] != '\0' && end[1] != ':'))
			return -EINVAL;
		*ret_port = end[1] == ':' ? end + 2 : NULL;
		*ret_host = target + 1;
		*end = '\0';
		return strchr(*ret_host, ':') ? 0 : -EINVAL;
	}
	/* More than one colon: an IPv6 address alone. */
	if (colon && strchr(target, ':') == colon) {
		*colon = '\0';
		*ret_port = colon + 1;
	}
	return 0;
}

/* Gives the length of the network's prefix in 128 bits. */
static int parse_prefix(const char *text, bool is_ipv4, unsigned *ret)
{
	unsigned max = is_ipv4 ? 32 : 128, value = 0;

	if (*text == '\0' || strlen(text) > 3)
		return -EINVAL;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return -EINVAL;
		value = value * 10 + (unsigned)(*text - '0');
	}
	if (value > max)
		return -EINVAL;
	*ret = is_ipv4 ? value + 96 : value;
	return 0;
}

static bool has_bits_beyond(const struct in6_addr *network, unsigned prefix)
{
	for (unsigned bit = prefix; bit < 128; bit++)
		if (network->s6_addr[bit / 8] & (0x80 >> bit % 8))
			return true;
	return false;
}

/* An address, or a network with the slash at `slash`. */
static int take_address(const struct host *host, const char *text, const char *slash,
			struct policy_rule *rule, struct err *err)
{
	bool is_ipv4 = !strchr(text, ':');

	rule->target = TARGET_ADDRESS;
	rule->network = host->address;
	rule->prefix = 128;
	if (slash && parse_prefix(slash, is_ipv4, &rule->prefix) < 0)
		return err_set(err, -EINVAL, "'%s/%s' is not a network such as 10.0.0.0/8", text, slash);
	if (has_bits_beyond(&rule->network, rule->prefix))
		return err_set(err, -EINVAL,
			       "'%s/%s' has bits behind its prefix: is one address meant, or a network?",
			       text, slash);
	if (rule->prefix >= 96)
		rule->network = address_plain(&rule->network);
	return 0;
}

static int parse_host(char *text, struct policy_rule *rule, struct err *err)
{
	char *slash = strchr(text, '/');
	size_t stars = strspn(text, "*");
	struct host host;

	if (strcmp(text, "**") == 0) {
		rule->target = TARGET_ANY;
		return 0;
	}
	if (slash)
		*slash++ = '\0';
	if (stars > 2 || (stars > 0 && text[stars] != '.'))
		return err_set(
			err, -EINVAL,
			"'%s': stars stand for whole labels in front, '*.' for one and '**.' for any number; "
			"'**' is every host",
			text);
	text += stars > 0 ? stars + 1 : 0;
	if (host_parse(slice_text(text), &host) < 0 || (slash && !host.is_address) ||
	    (stars > 0 && host.is_address))
		return err_set(
			err, -EINVAL,
			"'%s' is not the name of a host or an address (a name with other letters than a to z "
			"is written in its xn-- form)",
			text);
	if (host.is_address)
		return take_address(&host, text, slash, rule, err);
	if (strcmp(host.text, "host.docker.internal") == 0)
		return err_set(err, -EINVAL, "the machine that sandboxes run on is 'localhost' in rules");
	rule->target = stars == 2 ? TARGET_DEEP : stars == 1 ? TARGET_LABEL : TARGET_NAME;
	rule->host = strdup(host.text);
	rule->host_len = strlen(host.text);
	return rule->host ? 0 : err_errno(err, -ENOMEM, "cannot keep the rule");
}

static int parse_target(const char *word, struct policy_rule *rule, struct err *err)
{
	char copy[POLICY_LINE_MAX_BYTES + 1], *host;
	const char *port;

	snprintf(copy, sizeof(copy), "%s", word);
	if (split(copy, &host, &port) < 0)
		return err_set(err, -EINVAL, "'%s' is not HOST or HOST:PORT", word);
	rule->is_web = !port;
	rule->first_port = WEB_FIRST;
	rule->last_port = WEB_LAST;
	if (port && parse_ports(port, rule, err) < 0)
		return -EINVAL;
	return parse_host(host, rule, err);
}

/* ---- what follows it ---- */

static bool are_methods_ok(const char *text)
{
	unsigned count = 0;

	for (;;) {
		size_t len = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ-");

		if (len == 0 || len > METHOD_MAX_BYTES || ++count > METHODS_MAX)
			return false;
		if (text[len] == '\0')
			return true;
		if (text[len] != ',')
			return false;
		text += len + 1;
	}
}

static int take_methods(const char *value, struct policy_rule *rule, struct err *err)
{
	if (rule->methods)
		return err_set(err, -EINVAL, "it has two method=");
	if (!are_methods_ok(value))
		return err_set(err, -EINVAL, "'method=%s' is not a list such as method=GET,HEAD", value);
	rule->methods = strdup(value);
	return rule->methods ? 0 : err_errno(err, -ENOMEM, "cannot keep the rule");
}

static int take_path(const char *value, struct policy_rule *rule, struct err *err)
{
	char path[PATH_TEXT_BYTES];

	if (rule->path)
		return err_set(err, -EINVAL, "it has two path=");
	if (path_pattern(slice_text(value), path) < 0)
		return err_set(
			err, -EINVAL,
			"'path=%s' is not a path such as /repos/**, where '*' is one segment and '**' any "
			"number",
			value);
	rule->path = strdup(path);
	return rule->path ? 0 : err_errno(err, -ENOMEM, "cannot keep the rule");
}

static int take_word(const char *word, struct policy_rule *rule, struct err *err)
{
	if (strncmp(word, "method=", 7) == 0)
		return take_methods(word + 7, rule, err);
	if (strncmp(word, "path=", 5) == 0)
		return take_path(word + 5, rule, err);
	if (strcmp(word, "tcp") == 0)
		rule->is_tcp = true;
	else if (strcmp(word, "private") == 0)
		rule->is_private = true;
	else
		return err_set(
			err, -EINVAL,
			"cannot make sense of '%s': behind the host come tcp, private, method= and path=",
			word);
	return 0;
}

static int check(const struct policy_rule *rule, struct err *err)
{
	const char *verb = verb_names[rule->verb];

	if (rule->verb != RULE_ALLOW && (rule->is_tcp || rule->is_private))
		return err_set(err, -EINVAL, "'%s' goes without 'tcp' and 'private'", verb);
	if (rule->verb == RULE_INSPECT && (rule->methods || rule->path))
		return err_set(err, -EINVAL, "'inspect' goes without method= and path=");
	if (rule->is_tcp && (rule->methods || rule->path))
		return err_set(err, -EINVAL, "only HTTP has methods and paths: not with 'tcp'");
	if (rule->is_tcp && rule->is_web)
		return err_set(err, -EINVAL, "'tcp' needs a port: HOST:PORT");
	if (rule->is_private && (rule->target == TARGET_ADDRESS || rule->target == TARGET_ANY))
		return err_set(err, -EINVAL,
			       "'private' says where a name may lead: an address is private or is not");
	return 0;
}

/* ---- its canonical form ---- */

static void format_network(const struct policy_rule *rule, char *ret, size_t room)
{
	static const struct in6_addr ipv4 = {{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0}}};
	bool is_ipv4 = rule->prefix >= 96 && address_in(&rule->network, &ipv4, 96);
	bool has_brackets = !is_ipv4 && !rule->is_web;
	char length[8] = "";
	struct host host;

	host_of_address(&rule->network, &host);
	if (rule->prefix < 128)
		snprintf(length, sizeof(length), "/%u", rule->prefix - (is_ipv4 ? 96 : 0));
	snprintf(ret, room, "%s%s%s%s", has_brackets ? "[" : "", host.text, length, has_brackets ? "]" : "");
}

static void format_ports(const struct policy_rule *rule, char ret[16])
{
	if (rule->is_web)
		ret[0] = '\0';
	else if (rule->first_port == 0)
		strcpy(ret, ":*");
	else if (rule->first_port == rule->last_port)
		snprintf(ret, 16, ":%u", rule->first_port);
	else
		snprintf(ret, 16, ":%u-%u", rule->first_port, rule->last_port);
}

static int format(struct policy_rule *rule)
{
	bool is_all = rule->verb == RULE_ALLOW && rule->target == TARGET_ANY && rule->first_port == 0 &&
		      rule->is_tcp;
	static const char *const stars[] = {[TARGET_NAME] = "", [TARGET_LABEL] = "*.", [TARGET_DEEP] = "**."};
	char target[HOST_TEXT_BYTES + 8], ports[16];

	if (is_all) {
		rule->text = strdup(ALL);
		return rule->text ? 0 : -ENOMEM;
	}
	format_ports(rule, ports);
	if (rule->target == TARGET_ADDRESS)
		format_network(rule, target, sizeof(target));
	else if (rule->target == TARGET_ANY)
		strcpy(target, "**");
	else
		snprintf(target, sizeof(target), "%s%s", stars[rule->target], rule->host);
	if (asprintf(&rule->text, "%s %s%s%s%s%s%s%s%s", verb_names[rule->verb], target, ports,
		     rule->is_tcp ? " tcp" : "", rule->is_private ? " private" : "",
		     rule->methods ? " method=" : "", rule->methods ? rule->methods : "",
		     rule->path ? " path=" : "", rule->path ? rule->path : "") < 0) {
		rule->text = NULL;
		return -ENOMEM;
	}
	return 0;
}

/* ---- the whole ---- */

static int split_words(char *line, struct words *ret, struct err *err)
{
	char *at = line, *rest;

	for (char *word = strtok_r(at, " \t", &rest); word && word[0] != '#';
	     word = strtok_r(NULL, " \t", &rest)) {
		if (ret->count == WORDS_MAX)
			return err_set(err, -EINVAL, "it has more than %d words", WORDS_MAX);
		ret->items[ret->count++] = word;
	}
	return 0;
}

static int parse_verb(const char *word, enum rule_verb *ret, struct err *err)
{
	for (size_t i = 0; i < array_len(verb_names); i++) {
		if (strcmp(word, verb_names[i]) == 0) {
			*ret = (enum rule_verb)i;
			return 0;
		}
	}
	return err_set(err, -EINVAL, "a rule begins with allow, deny or inspect, or is allow-all, not '%s'",
		       word);
}

static int parse_words(const struct words *words, struct policy_rule *rule, struct err *err)
{
	int r = parse_verb(words->items[0], &rule->verb, err);

	if (r == 0 && words->count < 2)
		return err_set(err, -EINVAL, "'%s' needs a host", words->items[0]);
	r = r < 0 ? r : parse_target(words->items[1], rule, err);
	for (size_t i = 2; r == 0 && i < words->count; i++)
		r = take_word(words->items[i], rule, err);
	return r < 0 ? r : check(rule, err);
}

int rule_parse(struct slice line, struct policy_rule *ret, struct err *err)
{
	char copy[POLICY_LINE_MAX_BYTES + 1];
	struct policy_rule rule = {.text = NULL};
	struct words words = {.count = 0};
	static const struct words all = {{"allow", ALL_TARGET, "tcp"}, 3};
	int r;

	if (line.len > 0 && line.ptr[line.len - 1] == '\r')
		line.len--;
	if (line.len > POLICY_LINE_MAX_BYTES)
		return err_set(err, -EINVAL, "it is longer than %d bytes", POLICY_LINE_MAX_BYTES);
	if (line.len > 0 && memchr(line.ptr, '\0', line.len))
		return err_set(err, -EINVAL, "it is not text");
	memcpy(copy, line.ptr, line.len);
	copy[line.len] = '\0';
	r = split_words(copy, &words, err);
	if (r < 0 || words.count == 0)
		return r < 0 ? r : 1;
	r = parse_words(words.count == 1 && strcmp(words.items[0], ALL) == 0 ? &all : &words, &rule, err);
	if (r == 0 && format(&rule) < 0)
		r = err_errno(err, -ENOMEM, "cannot keep the rule");
	if (r < 0) {
		rule_done(&rule);
		return r;
	}
	*ret = rule;
	return 0;
}

void rule_done(struct policy_rule *rule)
{
	free(rule->text);
	free(rule->host);
	free(rule->methods);
	free(rule->path);
	*rule = (struct policy_rule){.text = NULL};
}

struct slice rule_target(const struct policy_rule *rule)
{
	const char *blank = strchr(rule->text, ' ');

	return blank ? slice_of(blank + 1, strcspn(blank + 1, " ")) : slice_text(ALL_TARGET);
}
