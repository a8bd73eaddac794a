#include "proxy/target.h"

#include <strings.h>

enum { HTTP_PORT = 80, STATUS_BAD = 400, STATUS_METHOD = 405, STATUS_LONG = 414, STATUS_MISDIRECTED = 421 };

static const char other_host[] = "the request is for another host than the connection";
static const char bad_target[] = "the request has no sound target";
static const char bad_host[] = "the request has no sound Host";

/* "http://name:port/path"; a user's name before the host is a trick. */
static const char *parse_absolute(struct slice target, struct target *ret)
{
	static const char scheme[] = "http://";
	size_t len = 0;

	if (target.len < sizeof(scheme) - 1 || strncasecmp(target.ptr, scheme, sizeof(scheme) - 1) != 0)
		return bad_target;
	target = slice_skip(target, sizeof(scheme) - 1);
	while (len < target.len && target.ptr[len] != '/' && target.ptr[len] != '?')
		len++;
	if (len < target.len && target.ptr[len] == '?')
		return bad_target;
	if (host_parse_port(slice_of(target.ptr, len), HTTP_PORT, &ret->name, &ret->port) < 0)
		return bad_target;
	ret->path = len < target.len ? slice_skip(target, len) : slice_text("/");
	return NULL;
}

static const char *parse_connect(struct slice target, struct target *ret)
{
	ret->is_connect = true;
	ret->path = slice_of(target.ptr, 0);
	return host_parse_port(target, 0, &ret->name, &ret->port) < 0 ? bad_target : NULL;
}

static const char *parse_form(const struct http1_head *head, const struct host *name, uint16_t port,
			      struct target *ret, unsigned *ret_status)
{
	struct slice target = head->target;

	if (slice_is(head->method, "CONNECT")) {
		*ret_status = name ? STATUS_METHOD : STATUS_BAD;
		return name ? "only the proxy's own address takes CONNECT" : parse_connect(target, ret);
	}
	if (target.ptr[0] != '/' && !slice_is(target, "*"))
		return parse_absolute(target, ret);
	if (!name)
		return "a request to a proxy names its host";
	if (target.ptr[0] == '*' && !slice_is(head->method, "OPTIONS"))
		return bad_target;
	ret->name = *name;
	ret->port = port;
	ret->path = target;
	return NULL;
}

static bool is_same(const struct target *target, const struct host *name, uint16_t port)
{
	return strcmp(target->name.text, name->text) == 0 && target->port == port;
}

/* One that names no port means the target's. */
static const char *check_host(const struct http1_head *head, const struct target *target,
			      unsigned *ret_status)
{
	struct slice value = {0};
	unsigned count = http1_find(head, "host", &value);
	struct host name;
	uint16_t port;

	if (count == 0 && (head->minor == 0 || target->is_connect))
		return NULL;
	if (count != 1 || host_parse_port(value, target->port, &name, &port) < 0)
		return bad_host;
	if (is_same(target, &name, port))
		return NULL;
	*ret_status = STATUS_MISDIRECTED;
	return other_host;
}

const char *target_parse(const struct http1_head *head, const struct host *name, uint16_t port,
			 struct target *ret, unsigned *ret_status)
{
	const char *why;

	*ret = (struct target){.is_connect = false};
	*ret_status = STATUS_BAD;
	if (memchr(head->target.ptr, '#', head->target.len))
		return bad_target;
	if (head->target.len > TARGET_MAX_BYTES) {
		*ret_status = STATUS_LONG;
		return "the request's target is too long";
	}
	if (slice_is_caseless(head->method, "TRACE")) {
		*ret_status = STATUS_METHOD;
		return "TRACE would show what the proxy adds to requests";
	}
	why = parse_form(head, name, port, ret, ret_status);
	if (!why && name && !is_same(ret, name, port)) {
		*ret_status = STATUS_MISDIRECTED;
		why = other_host;
	}
	return why ? why : check_host(head, ret, ret_status);
}
