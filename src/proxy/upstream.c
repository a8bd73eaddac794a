#include "proxy/upstream.h"

#include "policy/address.h"

#include <errno.h>
#include <stdlib.h>
#include <strings.h>

enum { CREDENTIALS_MAX_BYTES = 512, PREFIX_MAX_BITS = 128, IPV4_OFFSET_BITS = 96 };

static struct slice take_until(struct slice *text, const char *separators)
{
	size_t len = 0;
	struct slice part;

	while (len < text->len && !strchr(separators, text->ptr[len]))
		len++;
	part = slice_of(text->ptr, len);
	*text = slice_skip(*text, len < text->len ? len + 1 : len);
	return part;
}

static bool starts_with(struct slice text, const char *start)
{
	return text.len >= strlen(start) && strncasecmp(text.ptr, start, strlen(start)) == 0;
}

static int hex_value(char digit)
{
	if (digit >= '0' && digit <= '9')
		return digit - '0';
	digit = (char)(digit | 0x20);
	return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

/* Names and passwords with other than plain characters stand in URLs percent-encoded. */
static int decode(struct slice text, struct buf *ret)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < text.len; i++) {
		char byte = text.ptr[i];

		if (byte == '%' && i + 2 < text.len && hex_value(text.ptr[i + 1]) >= 0 &&
		    hex_value(text.ptr[i + 2]) >= 0) {
			byte = (char)(hex_value(text.ptr[i + 1]) << 4 | hex_value(text.ptr[i + 2]));
			i += 2;
		}
		r = buf_append(ret, slice_of(&byte, 1));
	}
	return r;
}

static int append_base64(struct buf *into, struct slice bytes)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	int r = 0;

	for (size_t i = 0; r == 0 && i < bytes.len; i += 3) {
		unsigned char in[3] = {0};
		size_t count = bytes.len - i < 3 ? bytes.len - i : 3;

		memcpy(in, bytes.ptr + i, count);
		r = buf_printf(into, "%c%c%c%c", digits[in[0] >> 2], digits[(in[0] & 3) << 4 | in[1] >> 4],
			       count > 1 ? digits[(in[1] & 15) << 2 | in[2] >> 6] : '=',
			       count > 2 ? digits[in[2] & 63] : '=');
	}
	return r;
}

static int parse_credentials(struct slice text, struct upstream_proxy *ret)
{
	auto_buf struct buf plain = {0};
	auto_buf struct buf encoded = {0};
	int r = text.len > CREDENTIALS_MAX_BYTES ? -EINVAL : decode(text, &plain);

	r = r < 0 ? r : buf_printf(&encoded, "Basic ");
	r = r < 0 ? r : append_base64(&encoded, buf_slice(&plain));
	if (r < 0)
		return r;
	ret->credentials = strdup(buf_text(&encoded));
	return ret->credentials ? 0 : -ENOMEM;
}

/* "http://name:password@proxy.example:3128/", of which only the host is needed. */
static int parse_proxy(struct slice url, struct upstream_proxy *ret)
{
	const char *at;
	struct slice rest = url;

	if (url.len == 0)
		return 0;
	if (starts_with(rest, "http://"))
		rest = slice_skip(rest, 7);
	else if (memmem(rest.ptr, rest.len, "://", 3))
		return -EINVAL;
	rest = take_until(&rest, "/?#");
	at = memrchr(rest.ptr, '@', rest.len);
	if (at) {
		size_t len = (size_t)(at - rest.ptr);
		int r = parse_credentials(slice_of(rest.ptr, len), ret);

		if (r < 0)
			return r;
		rest = slice_skip(rest, len + 1);
	}
	return host_parse_port(rest, 80, &ret->host, &ret->port);
}

static int set(struct upstream *upstream, struct slice name, struct slice value)
{
	if (slice_is(name, "http_proxy"))
		return parse_proxy(value, &upstream->http);
	if (slice_is(name, "https_proxy"))
		return parse_proxy(value, &upstream->https);
	if (!slice_is(name, "no_proxy") || upstream->no_proxy)
		return 0;
	upstream->no_proxy = strndup(value.ptr, value.len);
	return upstream->no_proxy ? 0 : -ENOMEM;
}

int upstream_parse(struct slice text, struct upstream *ret)
{
	struct upstream upstream = {0};
	int r = 0;

	while (r == 0 && text.len > 0) {
		struct slice line = take_until(&text, "\n"), name = take_until(&line, "=");

		r = set(&upstream, name, line);
	}
	if (r < 0) {
		upstream_done(&upstream);
		return r;
	}
	upstream_done(ret);
	*ret = upstream;
	return 0;
}

void upstream_done(struct upstream *upstream)
{
	free(upstream->http.credentials);
	free(upstream->https.credentials);
	free(upstream->no_proxy);
	*upstream = (struct upstream){0};
}

/* "10.0.0.0/8", or without a length the one address. */
static bool is_in_network(const struct host *host, struct slice entry)
{
	struct slice rest = entry, text = take_until(&rest, "/");
	struct host network;
	unsigned prefix = PREFIX_MAX_BITS;

	if (!host->is_address || host_parse(text, &network) < 0 || !network.is_address)
		return false;
	if (text.len < entry.len) {
		prefix = 0;
		for (size_t i = 0; i < rest.len && prefix <= PREFIX_MAX_BITS; i++)
			prefix = prefix * 10 + (unsigned)(rest.ptr[i] - '0');
		prefix += strchr(network.text, ':') ? 0 : IPV4_OFFSET_BITS;
	}
	return prefix <= PREFIX_MAX_BITS && address_in(&host->address, &network.address, prefix);
}

/* An entry stands for the name and all below it, with a dot or "*." before it or without. */
static bool is_below(const struct host *host, struct slice entry)
{
	size_t len = strlen(host->text);
	struct host domain;

	if (starts_with(entry, "*."))
		entry = slice_skip(entry, 2);
	else if (starts_with(entry, "."))
		entry = slice_skip(entry, 1);
	if (host_parse(entry, &domain) < 0 || domain.is_address || host->is_address ||
	    strlen(domain.text) > len)
		return false;
	len -= strlen(domain.text);
	return strcmp(host->text + len, domain.text) == 0 && (len == 0 || host->text[len - 1] == '.');
}

static bool is_exempt(const char *list, const struct host *host, uint16_t port)
{
	struct slice rest = list ? slice_text(list) : slice_of("", 0);

	while (rest.len > 0) {
		struct slice entry = take_until(&rest, ", \t");
		const char *colon = entry.len > 0 ? memchr(entry.ptr, ':', entry.len) : NULL;
		uint16_t entry_port = port;

		/* With a port only where there is but one colon: IPv6 addresses have more. */
		if (colon && colon == memrchr(entry.ptr, ':', entry.len)) {
			size_t len = (size_t)(colon - entry.ptr);

			if (host_port(slice_skip(entry, len + 1), &entry_port) < 0)
				continue;
			entry.len = len;
		}
		if (slice_is(entry, "*") ||
		    (entry_port == port && (is_in_network(host, entry) || is_below(host, entry))))
			return true;
	}
	return false;
}

const struct upstream_proxy *upstream_for(const struct upstream *upstream, const struct host *host,
					  uint16_t port, bool is_plain_http)
{
	const struct upstream_proxy *proxy = is_plain_http ? &upstream->http : &upstream->https;

	if (proxy->port == 0 || host_is_local(host) || is_exempt(upstream->no_proxy, host, port))
		return NULL;
	if (host->is_address && address_classify(&host->address) == ADDRESS_LOOPBACK)
		return NULL;
	return proxy;
}

int upstream_request(struct buf *into, const struct upstream_proxy *proxy, const struct host *host,
		     uint16_t port)
{
	char target[HOST_PORT_TEXT_BYTES];
	int r;

	host_format(host, port, target);
	r = buf_printf(into, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n", target, target);
	if (r == 0 && proxy->credentials)
		r = buf_printf(into, "Proxy-Authorization: %s\r\n", proxy->credentials);
	return r < 0 ? r : buf_append(into, slice_text("\r\n"));
}
