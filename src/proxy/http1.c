#include "proxy/http1.h"

#include <strings.h>

enum { METHOD_MAX_BYTES = 32 };

/* RFC 9110, 5.6.2 */
static bool is_token_char(unsigned char byte)
{
	if ((byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || (byte >= '0' && byte <= '9'))
		return true;
	return byte != '\0' && strchr("!#$%&'*+-.^_`|~", byte);
}

static bool is_token(struct slice text)
{
	for (size_t i = 0; i < text.len; i++)
		if (!is_token_char((unsigned char)text.ptr[i]))
			return false;
	return text.len > 0;
}

static bool is_blank(char byte)
{
	return byte == ' ' || byte == '\t';
}

/* Visible characters, blanks, and bytes beyond ASCII: what may stand in a field's value. */
static bool is_field_text(struct slice text)
{
	for (size_t i = 0; i < text.len; i++) {
		unsigned char byte = (unsigned char)text.ptr[i];

		if ((byte < 0x20 && byte != '\t') || byte == 0x7f)
			return false;
	}
	return true;
}

static bool is_visible_ascii(struct slice text)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.ptr[i] <= 0x20 || text.ptr[i] >= 0x7f)
			return false;
	return text.len > 0;
}

static struct slice trim(struct slice text)
{
	while (text.len > 0 && is_blank(text.ptr[0]))
		text = slice_skip(text, 1);
	while (text.len > 0 && is_blank(text.ptr[text.len - 1]))
		text.len--;
	return text;
}

static char fold(char byte)
{
	return byte == '_' ? '-' : byte >= 'A' && byte <= 'Z' ? (char)(byte - 'A' + 'a') : byte;
}

bool http1_is_same_field(struct slice name, struct slice other)
{
	for (size_t i = 0; name.len == other.len && i < name.len; i++)
		if (fold(name.ptr[i]) != fold(other.ptr[i]))
			return false;
	return name.len == other.len;
}

bool slice_is_caseless(struct slice slice, const char *text)
{
	return slice.len == strlen(text) && strncasecmp(slice.ptr, text, slice.len) == 0;
}

/* One line up to its CRLF. A CR or LF that stands alone is no end of a line and nothing else either. */
static enum parsed take_line(struct slice *in, struct slice *ret)
{
	const char *end = memchr(in->ptr, '\n', in->len);
	size_t len = end ? (size_t)(end - in->ptr) : in->len;

	if (!end)
		return PARSED_MORE;
	if (len == 0 || in->ptr[len - 1] != '\r' || memchr(in->ptr, '\r', len - 1))
		return PARSED_BAD;
	*ret = slice_of(in->ptr, len - 1);
	*in = slice_skip(*in, len + 1);
	return PARSED_OK;
}

/* Splits at the first blank; false if there is none. */
static bool take_word(struct slice *line, struct slice *ret)
{
	const char *blank = memchr(line->ptr, ' ', line->len);

	if (!blank)
		return false;
	*ret = slice_of(line->ptr, (size_t)(blank - line->ptr));
	*line = slice_skip(*line, ret->len + 1);
	return true;
}

static bool parse_version(struct slice text, struct http1_head *ret)
{
	if (!slice_is(text, "HTTP/1.1") && !slice_is(text, "HTTP/1.0"))
		return false;
	ret->minor = text.ptr[7] == '1';
	return true;
}

static bool parse_request_line(struct slice line, struct http1_head *ret)
{
	return take_word(&line, &ret->method) && ret->method.len <= METHOD_MAX_BYTES &&
	       is_token(ret->method) && take_word(&line, &ret->target) && is_visible_ascii(ret->target) &&
	       parse_version(line, ret);
}

static bool is_digit(char byte)
{
	return byte >= '0' && byte <= '9';
}

/* The reason may be missing together with its blank, as many servers have it. */
static bool parse_status_line(struct slice line, struct http1_head *ret)
{
	struct slice version;

	if (!take_word(&line, &version) || !parse_version(version, ret) || line.len < 3 ||
	    (line.len > 3 && line.ptr[3] != ' '))
		return false;
	for (size_t i = 0; i < 3; i++) {
		if (!is_digit(line.ptr[i]))
			return false;
		ret->status = ret->status * 10 + (unsigned)(line.ptr[i] - '0');
	}
	ret->reason = slice_skip(line, line.len > 3 ? 4 : 3);
	return ret->status >= 100 && is_field_text(ret->reason);
}

/* A line that begins with a blank (a folded one), and a blank before the colon, are no token. */
bool http1_parse_field(struct slice line, struct http1_field *ret)
{
	const char *colon = memchr(line.ptr, ':', line.len);

	if (!colon)
		return false;
	ret->name = slice_of(line.ptr, (size_t)(colon - line.ptr));
	ret->value = trim(slice_skip(line, ret->name.len + 1));
	return is_token(ret->name) && is_field_text(ret->value);
}

static bool parse_field(struct slice line, struct http1_head *ret)
{
	return ret->n_fields < HTTP1_FIELDS_MAX && http1_parse_field(line, &ret->fields[ret->n_fields++]);
}

static enum parsed parse_head(struct slice in, bool (*parse_first)(struct slice line, struct http1_head *ret),
			      struct http1_head *ret, size_t *ret_used)
{
	struct slice rest = slice_of(in.ptr, in.len < HTTP1_HEAD_MAX_BYTES ? in.len : HTTP1_HEAD_MAX_BYTES);
	struct slice line = {0};
	enum parsed parsed = take_line(&rest, &line);
	bool is_first = true;

	ret->n_fields = 0;
	ret->status = 0;
	while (parsed == PARSED_OK && (is_first || line.len > 0)) {
		if (!(is_first ? parse_first : parse_field)(line, ret))
			return PARSED_BAD;
		is_first = false;
		parsed = take_line(&rest, &line);
	}
	if (parsed == PARSED_MORE && in.len >= HTTP1_HEAD_MAX_BYTES)
		return PARSED_BAD;
	if (parsed == PARSED_OK)
		*ret_used = (size_t)(rest.ptr - in.ptr);
	return parsed;
}

enum parsed http1_parse_request(struct slice in, struct http1_head *ret, size_t *ret_used)
{
	return parse_head(in, parse_request_line, ret, ret_used);
}

enum parsed http1_parse_response(struct slice in, struct http1_head *ret, size_t *ret_used)
{
	return parse_head(in, parse_status_line, ret, ret_used);
}

unsigned http1_find(const struct http1_head *head, const char *name, struct slice *ret_value)
{
	unsigned count = 0;

	for (size_t i = 0; i < head->n_fields; i++)
		if (slice_is_caseless(head->fields[i].name, name) && count++ == 0 && ret_value)
			*ret_value = head->fields[i].value;
	return count;
}

static bool list_has(struct slice list, const char *token)
{
	while (list.len > 0) {
		const char *comma = memchr(list.ptr, ',', list.len);
		size_t len = comma ? (size_t)(comma - list.ptr) : list.len;

		if (slice_is_caseless(trim(slice_of(list.ptr, len)), token))
			return true;
		list = slice_skip(list, comma ? len + 1 : len);
	}
	return false;
}

bool http1_has_token(const struct http1_head *head, const char *name, const char *token)
{
	for (size_t i = 0; i < head->n_fields; i++)
		if (slice_is_caseless(head->fields[i].name, name) && list_has(head->fields[i].value, token))
			return true;
	return false;
}

static bool parse_length(struct slice text, uint64_t *ret)
{
	uint64_t value = 0;

	if (text.len == 0 || text.len > 18)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		if (!is_digit(text.ptr[i]))
			return false;
		value = value * 10 + (uint64_t)(text.ptr[i] - '0');
	}
	*ret = value;
	return true;
}

/* The body as its fields have it, HTTP1_NO_BODY where they say nothing. */
static bool frame(const struct http1_head *head, struct http1_framing *ret)
{
	struct slice length = {0}, encoding = {0};
	unsigned n_lengths = http1_find(head, "content-length", &length);
	unsigned n_encodings = http1_find(head, "transfer-encoding", &encoding);

	*ret = (struct http1_framing){.body = HTTP1_NO_BODY};
	if (n_lengths + n_encodings > 1)
		return false;
	if (n_encodings == 1) {
		ret->body = HTTP1_CHUNKED;
		return head->minor == 1 && slice_is_caseless(encoding, "chunked");
	}
	if (n_lengths == 0)
		return true;
	ret->body = HTTP1_LENGTH;
	ret->has_length = true;
	return parse_length(length, &ret->length);
}

bool http1_frame_request(const struct http1_head *head, struct http1_framing *ret)
{
	return frame(head, ret);
}

bool http1_frame_response(const struct http1_head *head, bool is_for_head, struct http1_framing *ret)
{
	if (!frame(head, ret))
		return false;
	if (is_for_head || head->status < 200 || head->status == 204 || head->status == 304)
		ret->body = HTTP1_NO_BODY;
	else if (ret->body == HTTP1_NO_BODY)
		ret->body = HTTP1_UNTIL_CLOSE;
	return true;
}
