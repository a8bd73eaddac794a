#include "wire/secret.h"

#include <ctype.h>
#include <errno.h>

static const char basic[] = "Basic ";

/* ---- what words may hold ---- */

static bool holds_only(struct slice text, bool (*is_good)(unsigned char letter))
{
	for (size_t i = 0; i < text.len; i++)
		if (!is_good((unsigned char)text.ptr[i]))
			return false;
	return text.len > 0;
}

static bool is_lower(unsigned char letter)
{
	return (letter >= 'a' && letter <= 'z') || (letter >= '0' && letter <= '9');
}

static bool is_service_letter(unsigned char letter)
{
	return is_lower(letter) || letter == '-';
}

static bool is_variable_letter(unsigned char letter)
{
	return (letter >= 'A' && letter <= 'Z') || is_lower(letter) || letter == '_';
}

/* RFC 9110, tchar. */
static bool is_token_letter(unsigned char letter)
{
	return isascii(letter) && (isalnum(letter) || (letter && strchr("!#$%&'*+-.^_`|~", letter)));
}

static bool is_visible(unsigned char letter)
{
	return letter > ' ' && letter < 0x7f;
}

static bool is_visible_or_blank(unsigned char letter)
{
	return is_visible(letter) || letter == ' ';
}

static bool is_host_letter(unsigned char letter)
{
	return is_lower(letter) || (letter && strchr(".-_:", letter));
}

bool secret_is_service(struct slice name)
{
	return name.len <= SECRET_SERVICE_MAX_BYTES && holds_only(name, is_service_letter) &&
	       name.ptr[0] != '-';
}

bool secret_is_variable(struct slice name)
{
	return name.len <= SECRET_HEADER_MAX_BYTES && holds_only(name, is_variable_letter) &&
	       !isdigit((unsigned char)name.ptr[0]);
}

static const char *find(struct slice in, const char *what)
{
	return in.len > 0 ? memmem(in.ptr, in.len, what, strlen(what)) : NULL;
}

/* One %s, and no other per cent sign that could be meant for one. */
static bool has_one_slot(struct slice text)
{
	const char *slot = find(text, "%s");
	size_t after = slot ? (size_t)(slot - text.ptr) + 2 : 0;

	return slot && !memchr(text.ptr, '%', (size_t)(slot - text.ptr)) &&
	       (after == text.len || !memchr(text.ptr + after, '%', text.len - after));
}

bool secret_is_format(struct slice format)
{
	return format.len > 0 && format.len <= SECRET_FORMAT_MAX_BYTES &&
	       holds_only(format, is_visible_or_blank) && format.ptr[0] != ' ' &&
	       format.ptr[format.len - 1] != ' ' && has_one_slot(format);
}

int secret_check_value(struct slice value, struct err *err)
{
	if (value.len == 0)
		return err_set(err, -EINVAL, "the secret is empty");
	if (value.len > SECRET_VALUE_MAX_BYTES)
		return err_set(err, -EFBIG,
			       "the secret is longer than %d bytes: no server takes that in a header",
			       SECRET_VALUE_MAX_BYTES);
	if (memchr(value.ptr, '\0', value.len))
		return err_set(err, -EINVAL, "the secret holds a NUL byte: it is not text");
	if (memchr(value.ptr, '\n', value.len) || memchr(value.ptr, '\r', value.len))
		return err_set(err, -EINVAL,
			       "the secret has several lines: only what fits a header can be injected");
	if (!holds_only(value, is_visible_or_blank) || value.ptr[0] == ' ' || value.ptr[value.len - 1] == ' ')
		return err_set(
			err, -EINVAL,
			"the secret holds what no header can: only letters, digits, signs of ASCII, and "
			"blanks between them can be injected");
	return 0;
}

/* ---- lines ---- */

static bool is_line_blank(char letter)
{
	return letter == ' ' || letter == '\t' || letter == '\r';
}

static struct slice trim(struct slice text)
{
	while (text.len > 0 && is_line_blank(text.ptr[0]))
		text = slice_skip(text, 1);
	while (text.len > 0 && is_line_blank(text.ptr[text.len - 1]))
		text.len--;
	return text;
}

struct line {
	struct slice key, value;
};

static struct slice cut_line(struct slice text)
{
	const char *end = text.len > 0 ? memchr(text.ptr, '\n', text.len) : NULL;

	return slice_of(text.ptr, end ? (size_t)(end - text.ptr) : text.len);
}

/* The next line that says something, which stays to be taken; false where there is none. */
static bool peek_line(struct secret_reader *reader, struct line *ret)
{
	while (reader->text.len > 0) {
		struct slice whole = cut_line(reader->text), line = trim(whole);
		size_t key_len = 0;

		while (key_len < line.len && !is_line_blank(line.ptr[key_len]))
			key_len++;
		ret->key = slice_of(line.ptr, key_len);
		ret->value = trim(slice_skip(line, key_len));
		if (line.len > 0 && line.ptr[0] != '#')
			return true;
		reader->text = slice_skip(reader->text, whole.len + (whole.len < reader->text.len ? 1 : 0));
		reader->line++;
	}
	return false;
}

static void take_line(struct secret_reader *reader)
{
	size_t len = cut_line(reader->text).len;

	reader->text = slice_skip(reader->text, len + (len < reader->text.len ? 1 : 0));
	reader->line++;
}

/* ---- what lines say ---- */

static int set_once(struct slice *into, struct slice value, bool is_good, struct err *err)
{
	if (into->len > 0)
		return err_set(err, -EINVAL, "it is said twice");
	if (!is_good)
		return err_set(err, -EINVAL, "what follows is empty, too long, or holds what it may not");
	*into = value;
	return 0;
}

static int take_summary(struct secret_binding *binding, struct slice value, struct err *err)
{
	return set_once(&binding->summary, value, holds_only(value, is_visible_or_blank), err);
}

static int take_env(struct secret_binding *binding, struct slice value, struct err *err)
{
	if (!secret_is_variable(value))
		return err_set(err, -EINVAL, "that is no name of a variable");
	if (binding->n_names == SECRET_NAMES_MAX)
		return err_set(err, -E2BIG, "more than %d variables", SECRET_NAMES_MAX);
	binding->names[binding->n_names++] = value;
	return 0;
}

/* Of the hosts that follow. */
static int take_header(struct slice value, struct secret_host *form, struct err *err)
{
	const char *colon = value.len > 0 ? memchr(value.ptr, ':', value.len) : NULL;
	struct slice name = slice_of(value.ptr, colon ? (size_t)(colon - value.ptr) : 0);
	struct slice format = colon ? trim(slice_skip(value, name.len + 1)) : slice_text("");

	if (name.len > SECRET_HEADER_MAX_BYTES || !holds_only(name, is_token_letter))
		return err_set(err, -EINVAL, "a header is written 'NAME: FORMAT', like 'X-Key: %%s'");
	if (!secret_is_format(format))
		return err_set(err, -EINVAL,
			       "the header's format must hold %%s, once, where the secret goes");
	form->header = name;
	form->format = format;
	return 0;
}

static bool is_number(struct slice text, uint16_t *ret)
{
	unsigned number = 0;

	if (text.len == 0 || text.len > 5)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		if (!isdigit((unsigned char)text.ptr[i]))
			return false;
		number = number * 10 + (unsigned)(text.ptr[i] - '0');
	}
	*ret = (uint16_t)number;
	return number > 0 && number <= UINT16_MAX;
}

/* A star stands for labels in front, and not for all that there are in a domain such as com. */
static bool is_pattern(struct slice pattern)
{
	struct slice name = pattern;
	size_t stars = 0;

	while (stars < name.len && stars < 2 && name.ptr[stars] == '*')
		stars++;
	if (stars > 0 && (name.len < stars + 2 || name.ptr[stars] != '.'))
		return false;
	name = slice_skip(name, stars > 0 ? stars + 1 : 0);
	return name.len > 0 && name.len <= SECRET_HOST_MAX_BYTES && holds_only(name, is_host_letter) &&
	       name.ptr[0] != '.' && name.ptr[name.len - 1] != '.' && !find(name, "..") &&
	       (stars == 0 || memchr(name.ptr, '.', name.len));
}

/* The last colon is a port's where it is the only one, or where an address in brackets ends before it. */
static int take_host(struct secret_binding *binding, struct slice value, const struct secret_host *form,
		     struct err *err)
{
	struct secret_host host = *form;
	const char *colon = value.len > 0 ? memrchr(value.ptr, ':', value.len) : NULL;
	size_t name_len = colon ? (size_t)(colon - value.ptr) : value.len;

	host.pattern = value;
	host.port = SECRET_PORT;
	if (colon && (!memchr(value.ptr, ':', name_len) || colon[-1] == ']')) {
		if (!is_number(slice_skip(value, name_len + 1), &host.port))
			return err_set(err, -EINVAL, "that is no port");
		host.pattern.len = name_len;
	}
	if (host.pattern.len > 2 && host.pattern.ptr[0] == '[' &&
	    host.pattern.ptr[host.pattern.len - 1] == ']')
		host.pattern = slice_of(host.pattern.ptr + 1, host.pattern.len - 2);
	if (!is_pattern(host.pattern))
		return err_set(err, -EINVAL,
			       "a host is a name in lower case, or *.NAME or **.NAME with a dot in it");
	if (form->header.len == 0)
		return err_set(err, -EINVAL, "a host comes after the header that it gets");
	if (binding->n_hosts == SECRET_HOSTS_MAX)
		return err_set(err, -E2BIG, "more than %d hosts", SECRET_HOSTS_MAX);
	binding->hosts[binding->n_hosts++] = host;
	return 0;
}

static int take_placeholder(struct secret_binding *binding, struct slice value, struct err *err)
{
	return set_once(&binding->placeholder, value,
			value.len <= SECRET_PLACEHOLDER_MAX_BYTES && holds_only(value, is_visible), err);
}

static int take_state(struct secret_binding *binding, enum secret_state state, struct slice value,
		      struct err *err)
{
	if (binding->state != SECRET_BARE)
		return err_set(err, -EINVAL, "it is said twice what becomes of the value");
	if (state == SECRET_VALUE) {
		int r = secret_check_value(value, err);

		if (r < 0)
			return r;
	} else if (value.len > 0) {
		return err_set(err, -EINVAL, "nothing may follow");
	}
	binding->state = state;
	binding->value = value;
	return 0;
}

static int obey(struct secret_binding *binding, const struct line *line, struct secret_host *form,
		struct err *err)
{
	if (slice_is(line->key, "env"))
		return take_env(binding, line->value, err);
	if (slice_is(line->key, "header"))
		return take_header(line->value, form, err);
	if (slice_is(line->key, "host"))
		return take_host(binding, line->value, form, err);
	if (slice_is(line->key, "placeholder"))
		return take_placeholder(binding, line->value, err);
	if (slice_is(line->key, "summary"))
		return take_summary(binding, line->value, err);
	if (slice_is(line->key, "value"))
		return take_state(binding, SECRET_VALUE, line->value, err);
	if (slice_is(line->key, "keep"))
		return take_state(binding, SECRET_KEEP, line->value, err);
	if (slice_is(line->key, "forget"))
		return take_state(binding, SECRET_FORGET, line->value, err);
	return err_set(err, -EINVAL, "there is no such word");
}

/* The key is shown as far as it is a word of ours; what follows never is. */
static int complain(const struct secret_reader *reader, const struct line *line, int r, struct err *err)
{
	bool is_word = line->key.len <= 12 && holds_only(line->key, is_lower);

	return is_word ? err_add(err, r, "line %u, '%.*s'", reader->line + 1, (int)line->key.len,
				 line->key.ptr)
		       : err_add(err, r, "line %u", reader->line + 1);
}

int secret_next(struct secret_reader *reader, struct secret_binding *ret, struct err *err)
{
	struct secret_host form = {.port = SECRET_PORT};
	struct line line;

	*ret = (struct secret_binding){0};
	if (!peek_line(reader, &line))
		return 0;
	if (!slice_is(line.key, "service") || !secret_is_service(line.value))
		return complain(
			reader, &line,
			err_set(err, -EINVAL,
				"a binding begins with 'service NAME', of lower-case letters, digits and -"),
			err);
	ret->service = line.value;
	take_line(reader);
	while (peek_line(reader, &line) && !slice_is(line.key, "service")) {
		int r = obey(ret, &line, &form, err);

		if (r < 0)
			return complain(reader, &line, r, err);
		take_line(reader);
	}
	return 1;
}

/* ---- writing ---- */

static int write_hosts(struct buf *into, const struct secret_binding *binding)
{
	const struct secret_host *last = NULL;
	int r = 0;

	for (size_t i = 0; r == 0 && i < binding->n_hosts; i++) {
		const struct secret_host *host = &binding->hosts[i];

		if (!last || last->format.ptr != host->format.ptr)
			r = buf_printf(into, "header %.*s: %.*s\n", (int)host->header.len, host->header.ptr,
				       (int)host->format.len, host->format.ptr);
		if (r == 0 && memchr(host->pattern.ptr, ':', host->pattern.len))
			r = buf_printf(into, "host [%.*s]:%u\n", (int)host->pattern.len, host->pattern.ptr,
				       host->port);
		else if (r == 0)
			r = buf_printf(into, "host %.*s:%u\n", (int)host->pattern.len, host->pattern.ptr,
				       host->port);
		last = host;
	}
	return r;
}

/* In parts: nothing that prints keeps a value in a buffer of its own. */
static int write_value(struct buf *into, struct slice value)
{
	int r = buf_append(into, slice_text("value "));

	r = r < 0 ? r : buf_append(into, value);
	return r < 0 ? r : buf_append(into, slice_text("\n"));
}

static int write_state(struct buf *into, const struct secret_binding *binding)
{
	switch (binding->state) {
	case SECRET_BARE:
		return 0;
	case SECRET_VALUE:
		return write_value(into, binding->value);
	case SECRET_KEEP:
		return buf_append(into, slice_text("keep\n"));
	case SECRET_FORGET:
		return buf_append(into, slice_text("forget\n"));
	}
	return -EINVAL;
}

int secret_write(struct buf *into, const struct secret_binding *binding, bool with_value)
{
	int r = buf_printf(into, "service %.*s\n", (int)binding->service.len, binding->service.ptr);

	if (r == 0 && binding->summary.len > 0)
		r = buf_printf(into, "summary %.*s\n", (int)binding->summary.len, binding->summary.ptr);
	for (size_t i = 0; r == 0 && i < binding->n_names; i++)
		r = buf_printf(into, "env %.*s\n", (int)binding->names[i].len, binding->names[i].ptr);
	r = r < 0 ? r : write_hosts(into, binding);
	if (r == 0 && binding->placeholder.len > 0)
		r = buf_printf(into, "placeholder %.*s\n", (int)binding->placeholder.len,
			       binding->placeholder.ptr);
	return r < 0 || !with_value ? r : write_state(into, binding);
}

/* ---- use ---- */

static bool fits(struct slice pattern, struct slice name)
{
	size_t stars = 0, head;

	while (stars < pattern.len && pattern.ptr[stars] == '*')
		stars++;
	if (stars == 0)
		return pattern.len == name.len && memcmp(pattern.ptr, name.ptr, name.len) == 0;
	pattern = slice_skip(pattern, stars); /* begins with a dot */
	if (name.len <= pattern.len)
		return false;
	head = name.len - pattern.len;
	return memcmp(name.ptr + head, pattern.ptr, pattern.len) == 0 &&
	       (stars == 2 || !memchr(name.ptr, '.', head));
}

const struct secret_host *secret_find_host(const struct secret_binding *binding, struct slice name,
					   uint16_t port)
{
	for (size_t i = 0; i < binding->n_hosts; i++)
		if (binding->hosts[i].port == port && fits(binding->hosts[i].pattern, name))
			return &binding->hosts[i];
	return NULL;
}

/* RFC 4648, section 4, in place: from the last group on, since each is written behind where it was read. */
static void encode(unsigned char *bytes, size_t len)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	for (size_t group = (len + 2) / 3; group-- > 0;) {
		const unsigned char *from = bytes + group * 3;
		unsigned char *into = bytes + group * 4;
		size_t left = len - group * 3;
		unsigned bits = (unsigned)from[0] << 16 | (left > 1 ? (unsigned)from[1] << 8 : 0) |
				(left > 2 ? from[2] : 0);

		into[0] = (unsigned char)letters[bits >> 18];
		into[1] = (unsigned char)letters[bits >> 12 & 63];
		into[2] = (unsigned char)(left > 1 ? letters[bits >> 6 & 63] : '=');
		into[3] = (unsigned char)(left > 2 ? letters[bits & 63] : '=');
	}
}

/* What is behind the first `from` bytes of the buffer. */
static int encode_tail(struct buf *into, size_t from)
{
	size_t len = into->len - from, encoded = (len + 2) / 3 * 4;

	if (!buf_space(into, encoded - len))
		return -ENOMEM;
	encode((unsigned char *)into->data + into->start + from, len);
	buf_grow(into, encoded - len);
	return 0;
}

int secret_fill(struct slice format, struct slice value, struct buf *into)
{
	const char *slot = find(format, "%s");
	bool is_basic = format.len > sizeof(basic) - 1 && memcmp(format.ptr, basic, sizeof(basic) - 1) == 0;
	size_t head = slot ? (size_t)(slot - format.ptr) : 0;
	size_t start = into->len + sizeof(basic) - 1;
	int r;

	if (!slot || format.len > SECRET_FORMAT_MAX_BYTES || value.len > SECRET_VALUE_MAX_BYTES)
		return -EINVAL;
	/* Room for all of it first: a buffer that grows leaves what it held behind. */
	if (!buf_space(into, (format.len + value.len) * 2))
		return -ENOMEM;
	r = buf_append(into, slice_of(format.ptr, head));
	r = r < 0 ? r : buf_append(into, value);
	r = r < 0 ? r : buf_append(into, slice_skip(format, head + 2));
	return r < 0 || !is_basic ? r : encode_tail(into, start);
}
