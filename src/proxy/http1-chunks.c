#include "proxy/http1.h"
#include "proxy/trailers.h"

enum {
	SIZE_LINE_MAX_BYTES = 1024, /* with its extensions */
	SIZE_MAX_DIGITS = 15,
	TRAILER_MAX_BYTES = 8192,
};

enum { AT_SIZE, AT_DATA, AT_DATA_END, AT_TRAILER, AT_END };

static int hex_digit(char byte)
{
	if (byte >= '0' && byte <= '9')
		return byte - '0';
	byte = (char)(byte | 0x20);
	return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

static bool has_control(struct slice line)
{
	for (size_t i = 0; i < line.len; i++)
		if (((unsigned char)line.ptr[i] < 0x20 && line.ptr[i] != '\t') || line.ptr[i] == 0x7f)
			return true;
	return false;
}

/* A whole line without its CRLF, of at most max bytes. */
static enum parsed take_line(struct slice in, size_t max, struct slice *ret, size_t *ret_used)
{
	const char *end = memchr(in.ptr, '\n', in.len < max ? in.len : max);
	size_t len = end ? (size_t)(end - in.ptr) : 0;

	if (!end)
		return in.len >= max ? PARSED_BAD : PARSED_MORE;
	if (len == 0 || in.ptr[len - 1] != '\r')
		return PARSED_BAD;
	*ret = slice_of(in.ptr, len - 1);
	*ret_used = len + 1;
	return has_control(*ret) ? PARSED_BAD : PARSED_OK;
}

static enum parsed take_size(struct http1_chunks *chunks, struct slice in, size_t *ret_used)
{
	struct slice line = {0};
	enum parsed parsed = take_line(in, SIZE_LINE_MAX_BYTES, &line, ret_used);
	uint64_t size = 0;
	size_t digits = 0;

	if (parsed != PARSED_OK)
		return parsed;
	while (digits < line.len && hex_digit(line.ptr[digits]) >= 0) {
		size = size << 4 | (uint64_t)hex_digit(line.ptr[digits]);
		if (++digits > SIZE_MAX_DIGITS)
			return PARSED_BAD;
	}
	if (digits == 0 || (digits < line.len && line.ptr[digits] != ';'))
		return PARSED_BAD;
	chunks->left = size;
	chunks->state = size > 0 ? AT_DATA : AT_TRAILER;
	return PARSED_OK;
}

static enum parsed take_data(struct http1_chunks *chunks, struct slice in, struct slice *ret_data,
			     size_t *ret_used)
{
	size_t len = in.len < chunks->left ? in.len : (size_t)chunks->left;

	if (len == 0)
		return PARSED_MORE;
	*ret_data = slice_of(in.ptr, len);
	*ret_used = len;
	chunks->left -= len;
	if (chunks->left == 0)
		chunks->state = AT_DATA_END;
	return PARSED_OK;
}

static enum parsed take_data_end(struct http1_chunks *chunks, struct slice in, size_t *ret_used)
{
	if (in.len > 0 && in.ptr[0] != '\r')
		return PARSED_BAD;
	if (in.len < 2)
		return PARSED_MORE;
	if (in.ptr[1] != '\n')
		return PARSED_BAD;
	chunks->state = AT_SIZE;
	*ret_used = 2;
	return PARSED_OK;
}

static enum parsed take_trailer(struct http1_chunks *chunks, struct slice in, size_t *ret_used)
{
	struct slice line = {0};
	enum parsed parsed = take_line(in, TRAILER_MAX_BYTES - chunks->trailer_bytes, &line, ret_used);
	struct http1_field field;

	if (parsed != PARSED_OK)
		return parsed;
	if (line.len == 0) {
		chunks->state = AT_END;
		return PARSED_OK;
	}
	chunks->trailer_bytes += (uint16_t)*ret_used;
	if (!http1_parse_field(line, &field) || ++chunks->n_trailers > HTTP1_FIELDS_MAX)
		return PARSED_BAD;
	return chunks->trailers && trailers_add(chunks->trailers, &field) < 0 ? PARSED_BAD : PARSED_OK;
}

enum parsed http1_chunk(struct http1_chunks *chunks, struct slice in, struct slice *ret_data,
			size_t *ret_used)
{
	*ret_data = slice_of(in.ptr, 0);
	switch (chunks->state) {
	case AT_SIZE:
		return take_size(chunks, in, ret_used);
	case AT_DATA:
		return take_data(chunks, in, ret_data, ret_used);
	case AT_DATA_END:
		return take_data_end(chunks, in, ret_used);
	case AT_TRAILER:
		return take_trailer(chunks, in, ret_used);
	default:
		return PARSED_BAD;
	}
}

bool http1_chunks_done(const struct http1_chunks *chunks)
{
	return chunks->state == AT_END;
}
