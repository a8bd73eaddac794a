#include "guest/answer.h"

#include "guest/dns.h"

#include <errno.h>
#include <stdio.h>
#include <strings.h>

enum { CLASS_INTERNET = 1 };

static bool ends_with(const char *name, const char *end)
{
	size_t len = strlen(name), end_len = strlen(end);

	return len >= end_len && strcasecmp(name + len - end_len, end) == 0;
}

static int answer_plainly(struct buf *into, const struct dns_question *question, enum dns_code code)
{
	return dns_begin(into, question, code, 0);
}

/* RFC 6761, 6.3: such a name never leaves the machine. */
static bool is_localhost(const char *name)
{
	return strcasecmp(name, "localhost") == 0 || ends_with(name, ".localhost");
}

static int answer_localhost(struct buf *into, const struct dns_question *question)
{
	const struct in_addr v4 = {htonl(INADDR_LOOPBACK)};
	bool has_v4 = question->type == DNS_A || question->type == DNS_ANY;
	int r = dns_begin(into, question, DNS_GOOD, has_v4 || question->type == DNS_AAAA);

	if (r == 0 && has_v4)
		return dns_add(into, DNS_A, slice_of(&v4, sizeof(v4)));
	if (r == 0 && question->type == DNS_AAAA)
		return dns_add(into, DNS_AAAA, slice_of(&in6addr_loopback, sizeof(in6addr_loopback)));
	return r;
}

/* "4.3.2.1.in-addr.arpa" */
static bool parse_reverse(const char *name, struct in_addr *ret)
{
	unsigned part[4];
	int used = 0;

	if (sscanf(name, "%3u.%3u.%3u.%3u.%n", &part[0], &part[1], &part[2], &part[3], &used) != 4 ||
	    used == 0 || strcasecmp(name + used, "in-addr.arpa") != 0)
		return false;
	for (int i = 0; i < 4; i++)
		if (part[i] > 255)
			return false;
	ret->s_addr = htonl(part[3] << 24 | part[2] << 16 | part[1] << 8 | part[0]);
	return true;
}

static int answer_reverse(struct names *names, struct buf *into, const struct dns_question *question)
{
	struct in_addr address;
	const struct name *name = NULL;
	bool is_asked = question->type == DNS_PTR || question->type == DNS_ANY;
	int r;

	if (parse_reverse(question->name, &address))
		name = names_at(names, address);
	if (!name || !is_asked)
		return answer_plainly(into, question, name ? DNS_GOOD : DNS_NO_NAME);
	r = dns_begin(into, question, DNS_GOOD, 1);
	return r < 0 ? r : dns_add_name(into, name_text(name));
}

static int answer_name(struct names *names, struct buf *into, const struct dns_question *question)
{
	struct in_addr address;
	int r;

	if (question->type != DNS_A && question->type != DNS_ANY)
		return answer_plainly(into, question, DNS_GOOD);
	r = names_add(names, question->name, &address);
	if (r < 0)
		return answer_plainly(into, question, DNS_FAILED);
	r = dns_begin(into, question, DNS_GOOD, 1);
	return r < 0 ? r : dns_add(into, DNS_A, slice_of(&address, sizeof(address)));
}

int answer_query(struct names *names, struct slice query, struct buf *into)
{
	struct dns_question question;
	int r = dns_parse(query, &question);

	if (r != DNS_GOOD)
		return r < 0 ? r : answer_plainly(into, &question, (enum dns_code)r);
	if (question.class != CLASS_INTERNET)
		return answer_plainly(into, &question, DNS_REFUSED);
	/* No host is called so, and the host could not be asked for it. */
	if (!question.is_plain)
		return answer_plainly(into, &question, DNS_NO_NAME);
	if (question.name[0] == '\0')
		return answer_plainly(into, &question, DNS_GOOD);
	if (is_localhost(question.name))
		return answer_localhost(into, &question);
	if (ends_with(question.name, ".in-addr.arpa") || ends_with(question.name, ".ip6.arpa"))
		return answer_reverse(names, into, &question);
	return answer_name(names, into, &question);
}
