#include "policy/redirect.h"

#include <errno.h>
#include <string.h>

static struct slice until(struct slice text, char end)
{
	const char *at = text.len > 0 ? memchr(text.ptr, end, text.len) : NULL;

	return at ? slice_of(text.ptr, (size_t)(at - text.ptr)) : text;
}

static int parse_one(struct slice text, struct redirect *ret, struct err *err)
{
	struct slice from = until(text, '=');
	struct host to;

	if (from.len == text.len || host_parse_port(from, 0, &ret->from, &ret->from_port) < 0 ||
	    host_parse_port(slice_skip(text, from.len + 1), 0, &to, &ret->to_port) < 0 || !to.is_address)
		return err_set(err, -EINVAL, "'%.*s' is not NAME:PORT=ADDRESS:PORT",
			       text.len > 120 ? 120 : (int)text.len, text.ptr);
	ret->to = to.address;
	return 0;
}

int redirects_parse(struct slice text, struct redirects *ret, struct err *err)
{
	struct redirects redirects = {.count = 0};

	if (text.len > REDIRECTS_TEXT_MAX_BYTES)
		return err_set(err, -E2BIG, "it is longer than %d bytes", REDIRECTS_TEXT_MAX_BYTES);
	while (text.len > 0) {
		struct slice one = until(text, ',');
		struct redirect *redirect = &redirects.list[redirects.count];
		int r;

		if (redirects.count == REDIRECTS_MAX)
			return err_set(err, -E2BIG, "there can be %d names at most", REDIRECTS_MAX);
		r = parse_one(one, redirect, err);
		if (r < 0)
			return r;
		if (redirects_find(&redirects, &redirect->from, redirect->from_port))
			return err_set(err, -EINVAL, "'%s:%u' is there twice", redirect->from.text,
				       redirect->from_port);
		redirects.count++;
		text = slice_skip(text, one.len);
		/* A comma has something behind it. */
		if (text.len == 1)
			return err_set(err, -EINVAL, "it ends with a comma");
		text = slice_skip(text, text.len > 0 ? 1 : 0);
	}
	*ret = redirects;
	return 0;
}

const struct redirect *redirects_find(const struct redirects *redirects, const struct host *host,
				      uint16_t port)
{
	for (size_t i = 0; i < redirects->count; i++)
		if (redirects->list[i].from_port == port &&
		    strcmp(redirects->list[i].from.text, host->text) == 0)
			return &redirects->list[i];
	return NULL;
}
