#include "proxy/inject.h"

#include <errno.h>
#include <stdlib.h>
#include <strings.h>

/* ---- bindings ---- */

void inject_done(struct inject *inject)
{
	buf_done(&inject->text);
	free(inject->bindings);
	*inject = (struct inject){.count = 0};
}

static int read_bindings(struct inject *into)
{
	struct secret_reader reader = {.text = buf_slice(&into->text)};
	struct secret_binding beyond;
	struct err err;
	int r = 0;

	into->bindings = calloc(SECRET_BINDINGS_MAX, sizeof(*into->bindings));
	if (!into->bindings)
		return -ENOMEM;
	while (into->count < SECRET_BINDINGS_MAX &&
	       (r = secret_next(&reader, &into->bindings[into->count], &err)) > 0)
		into->count++;
	/* That there is an end is what the reader says last. */
	if (r > 0)
		r = secret_next(&reader, &beyond, &err) > 0 ? -E2BIG : 0;
	return r;
}

int inject_set(struct inject *inject, struct slice text)
{
	struct inject fresh = {.count = 0};
	int r = buf_append(&fresh.text, text);

	r = r < 0 ? r : read_bindings(&fresh);
	if (r < 0) {
		inject_done(&fresh);
		return r;
	}
	inject_done(inject);
	*inject = fresh;
	return 0;
}

static const struct secret_host *find(const struct secret_binding *binding, const struct host *host,
				      uint16_t port)
{
	return secret_find_host(binding, slice_text(host->text), port);
}

bool inject_is_bound(const struct inject *inject, const struct host *host, uint16_t port)
{
	for (size_t i = 0; i < inject->count; i++)
		if (find(&inject->bindings[i], host, port))
			return true;
	return false;
}

bool inject_has(const struct inject *inject, const char *service, const struct host *host, uint16_t port)
{
	for (size_t i = 0; i < inject->count; i++)
		if (slice_is(inject->bindings[i].service, service) && find(&inject->bindings[i], host, port))
			return true;
	return false;
}

/* ---- what is in a text ---- */

static bool holds(struct slice text, struct slice what)
{
	return what.len > 0 && memmem(text.ptr, text.len, what.ptr, what.len);
}

/* The value of two digits at the beginning, or -1. */
static int hex_byte(struct slice text)
{
	static const char digits[] = "0123456789abcdef0123456789ABCDEF";
	unsigned value = 0;

	for (size_t i = 0; i < 2; i++) {
		const char *found = text.len >= 2 ? memchr(digits, text.ptr[i], sizeof(digits) - 1) : NULL;

		if (!found)
			return -1;
		value = value << 4 | ((unsigned)(found - digits) & 15);
	}
	return (int)value;
}

static bool decode_percent(struct slice text, struct buf *into)
{
	char *space = buf_space(into, text.len);
	size_t len = 0;

	while (space && text.len > 0) {
		int value = text.ptr[0] == '%' ? hex_byte(slice_skip(text, 1)) : -1;

		if (value < 0)
			space[len++] = text.ptr[0];
		else
			space[len++] = (char)(unsigned)value;
		text = slice_skip(text, value < 0 ? 1 : 3);
	}
	if (space)
		buf_grow(into, len);
	return space;
}

static int base64(char letter)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *found = letter ? strchr(letters, letter) : NULL;

	return found ? (int)(found - letters) : -1;
}

static bool decode_base64(struct slice text, struct buf *into)
{
	char *space = buf_space(into, text.len);
	size_t len = 0;
	unsigned bits = 0, n_bits = 0;

	for (size_t i = 0; space && i < text.len && base64(text.ptr[i]) >= 0; i++) {
		bits = bits << 6 | (unsigned)base64(text.ptr[i]);
		n_bits += 6;
		if (n_bits < 8)
			continue;
		n_bits -= 8;
		space[len++] = (char)(bits >> n_bits);
		bits &= (1U << n_bits) - 1;
	}
	if (space)
		buf_grow(into, len);
	return space;
}

/* A text that cannot be looked into for want of memory holds everything. */
static bool holds_encoded(struct slice text, struct slice what)
{
	static const char basic[] = "basic ";
	auto_buf struct buf decoded = {0};

	if (holds(text, what))
		return true;
	if (text.len > sizeof(basic) - 1 && strncasecmp(text.ptr, basic, sizeof(basic) - 1) == 0) {
		text = slice_skip(text, sizeof(basic) - 1);
		return !decode_base64(text, &decoded) || holds(buf_slice(&decoded), what);
	}
	if (!memchr(text.ptr, '%', text.len))
		return false;
	return !decode_percent(text, &decoded) || holds(buf_slice(&decoded), what);
}

/* ---- placeholders where they do not belong ---- */

static bool head_holds(const struct http1_head *head, struct slice what)
{
	if (holds_encoded(head->target, what))
		return true;
	for (size_t i = 0; i < head->n_fields; i++)
		if (holds_encoded(head->fields[i].value, what) || holds(head->fields[i].name, what))
			return true;
	return false;
}

bool inject_leaks(const struct inject *inject, const struct host *host, uint16_t port,
		  const struct http1_head *head)
{
	for (size_t i = 0; i < inject->count; i++)
		if (!find(&inject->bindings[i], host, port) &&
		    head_holds(head, inject->bindings[i].placeholder))
			return true;
	return false;
}

static bool holds_foreign(const struct inject *inject, const struct host *host, uint16_t port,
			  struct slice text)
{
	for (size_t i = 0; i < inject->count; i++)
		if (!find(&inject->bindings[i], host, port) && holds(text, inject->bindings[i].placeholder))
			return true;
	return false;
}

bool inject_scan(const struct inject *inject, const struct host *host, uint16_t port,
		 struct inject_scan *scan, struct slice piece)
{
	char seam[2 * SECRET_PLACEHOLDER_MAX_BYTES];
	size_t head = piece.len < SECRET_PLACEHOLDER_MAX_BYTES ? piece.len : SECRET_PLACEHOLDER_MAX_BYTES;
	size_t len = scan->len + head;

	if (inject->count == 0 || piece.len == 0)
		return false;
	memcpy(seam, scan->tail, scan->len);
	memcpy(seam + scan->len, piece.ptr, head);
	if (holds_foreign(inject, host, port, slice_of(seam, len)) ||
	    holds_foreign(inject, host, port, piece))
		return true;
	if (head == SECRET_PLACEHOLDER_MAX_BYTES) {
		memcpy(scan->tail, piece.ptr + piece.len - sizeof(scan->tail), sizeof(scan->tail));
		scan->len = sizeof(scan->tail);
		return false;
	}
	scan->len = len < sizeof(scan->tail) ? len : sizeof(scan->tail);
	memcpy(scan->tail, seam + len - scan->len, scan->len);
	return false;
}

/* ---- credentials ---- */

/* The one whose placeholder the client has sent, else the first. */
static const struct secret_binding *choose(const struct inject *inject, const struct host *host,
					   uint16_t port, const struct http1_head *head)
{
	const struct secret_binding *chosen = NULL;

	for (size_t i = 0; i < inject->count; i++) {
		const struct secret_binding *binding = &inject->bindings[i];

		if (!find(binding, host, port))
			continue;
		if (head_holds(head, binding->placeholder))
			return binding;
		chosen = chosen ? chosen : binding;
	}
	return chosen;
}

/* Fields by which servers are told who it is: the usual ones, and all that any service has. */
static bool is_credential(const struct inject *inject, struct slice name)
{
	static const char *const names[] = {
		"authorization", "x-api-key",      "api-key",       "x-goog-api-key",
		"x-auth-token",  "x-access-token", "private-token",
	};

	for (size_t i = 0; i < array_len(names); i++)
		if (http1_is_same_field(name, slice_text(names[i])))
			return true;
	for (size_t i = 0; i < inject->count; i++)
		for (size_t k = 0; k < inject->bindings[i].n_hosts; k++)
			if (http1_is_same_field(name, inject->bindings[i].hosts[k].header))
				return true;
	return false;
}

static bool take_out_fields(const struct inject *inject, struct http1_head *head, struct slice placeholder)
{
	bool has_foreign = false;
	size_t kept = 0;

	for (size_t i = 0; i < head->n_fields; i++) {
		if (!is_credential(inject, head->fields[i].name))
			head->fields[kept++] = head->fields[i];
		else if (!holds_encoded(head->fields[i].value, placeholder))
			has_foreign = true;
	}
	head->n_fields = kept;
	return has_foreign;
}

/* In a query, "key" means a credential only to Google's servers. */
static bool is_credential_parameter(struct slice parameter, bool is_google)
{
	static const char *const names[] = {"access_token", "api_key", "apikey", "key"};
	const char *sign = memchr(parameter.ptr, '=', parameter.len);
	struct slice name = slice_of(parameter.ptr, sign ? (size_t)(sign - parameter.ptr) : parameter.len);
	size_t count = is_google ? array_len(names) : array_len(names) - 1;

	for (size_t i = 0; i < count; i++)
		if (slice_is_caseless(name, names[i]))
			return true;
	return false;
}

/* An encoded name could be one of these: it is decoded first. */
static int take_out_parameters(struct slice target, bool is_google, struct slice placeholder,
			       struct buf *into, bool *ret_has_foreign)
{
	const char *query = memchr(target.ptr, '?', target.len);
	struct slice rest = slice_skip(target, (size_t)(query - target.ptr) + 1);
	char mark = '?';
	int r = buf_append(into, slice_of(target.ptr, (size_t)(query - target.ptr)));

	while (r == 0 && rest.len > 0) {
		const char *end = memchr(rest.ptr, '&', rest.len);
		struct slice one = slice_of(rest.ptr, end ? (size_t)(end - rest.ptr) : rest.len);
		auto_buf struct buf decoded = {0};

		rest = slice_skip(rest, one.len + (end ? 1 : 0));
		if (!decode_percent(one, &decoded))
			return -ENOMEM;
		if (is_credential_parameter(buf_slice(&decoded), is_google)) {
			*ret_has_foreign |= !holds(buf_slice(&decoded), placeholder);
			continue;
		}
		r = buf_append(into, slice_of(&mark, 1));
		r = r < 0 ? r : buf_append(into, one);
		mark = '&';
	}
	return r;
}

int inject_request(const struct inject *inject, const struct host *host, uint16_t port,
		   struct http1_head *head, struct buf *into, struct slice *ret_target, struct injection *ret)
{
	const struct secret_binding *binding = choose(inject, host, port, head);
	const struct secret_host *bound = binding ? find(binding, host, port) : NULL;
	int r;

	*ret = (struct injection){.service = ""};
	if (!bound)
		return 0;
	memcpy(ret->service, binding->service.ptr, binding->service.len);
	memcpy(ret->header, bound->header.ptr, bound->header.len);
	ret->has_removed = take_out_fields(inject, head, binding->placeholder);
	if (!memchr(ret_target->ptr, '?', ret_target->len))
		return 0;
	buf_clear(into);
	r = take_out_parameters(*ret_target, slice_is_caseless(bound->header, "x-goog-api-key"),
				binding->placeholder, into, &ret->has_removed);
	*ret_target = buf_slice(into);
	return r;
}
