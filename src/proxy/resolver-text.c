#include "proxy/resolver-text.h"

#include "policy/host.h"

enum { DNS_PORT = 53 };

static struct slice take_line(struct slice *text)
{
	const char *end = memchr(text->ptr, '\n', text->len);
	struct slice line = slice_of(text->ptr, end ? (size_t)(end - text->ptr) : text->len);

	*text = slice_skip(*text, end ? line.len + 1 : line.len);
	return line;
}

static bool is_blank(char byte)
{
	return byte == ' ' || byte == '\t' || byte == '\r';
}

static struct slice take_word(struct slice *line)
{
	size_t from = 0, to;

	while (from < line->len && is_blank(line->ptr[from]))
		from++;
	to = from;
	while (to < line->len && !is_blank(line->ptr[to]))
		to++;
	*line = slice_skip(*line, to);
	return slice_of(line->ptr - (to - from), to - from);
}

/* A bare address, also an IPv6 one without brackets, or one with a port. */
static bool parse_server(struct slice word, struct host *ret, uint16_t *ret_port)
{
	*ret_port = DNS_PORT;
	return (host_parse(word, ret) == 0 || host_parse_port(word, 0, ret, ret_port) == 0) &&
	       ret->is_address;
}

int resolver_servers(struct slice text, struct buf *ret)
{
	unsigned count = 0;

	while (text.len > 0 && count < RESOLVER_SERVERS_MAX) {
		struct slice line = take_line(&text), word = take_word(&line);
		char server[HOST_PORT_TEXT_BYTES];
		struct host host;
		uint16_t port;
		int r;

		if (!slice_is(word, "nameserver") || !parse_server(take_word(&line), &host, &port))
			continue;
		host_format(&host, port, server);
		r = buf_printf(ret, "%s%s", count++ > 0 ? "," : "", server);
		if (r < 0)
			return r;
	}
	return count > 0 ? 0 : buf_printf(ret, "127.0.0.1:%d", DNS_PORT);
}
