#include "proxy/trailers.h"

#include <ctype.h>
#include <errno.h>

static bool may_trail(struct slice name)
{
	static const char *const names[] = {
		"authorization",
		"connection",
		"content-encoding",
		"content-length",
		"content-range",
		"content-type",
		"cookie",
		"host",
		"keep-alive",
		"location",
		"proxy-authenticate",
		"proxy-authorization",
		"proxy-connection",
		"set-cookie",
		"te",
		"trailer",
		"transfer-encoding",
		"upgrade",
		"www-authenticate",
		"x-api-key",
	};

	for (size_t i = 0; i < array_len(names); i++)
		if (slice_is_caseless(name, names[i]))
			return false;
	return name.len > 0 && name.ptr[0] != ':';
}

int trailers_add(struct buf *trailers, const struct http1_field *field)
{
	/* All of it or nothing. */
	char *space = buf_space(trailers, field->name.len + field->value.len + strlen(": \n"));

	if (!space)
		return -ENOMEM;
	if (!may_trail(field->name))
		return 0;
	for (size_t i = 0; i < field->name.len; i++)
		space[i] = (char)tolower((unsigned char)field->name.ptr[i]);
	buf_grow(trailers, field->name.len);
	return buf_printf(trailers, ": %.*s\n", (int)field->value.len, field->value.ptr);
}

int trailers_write_http1(struct buf *into, struct slice trailers)
{
	int r = buf_append(into, slice_text("0\r\n"));

	while (r == 0 && trailers.len > 0) {
		const char *end = memchr(trailers.ptr, '\n', trailers.len);
		size_t len = end ? (size_t)(end - trailers.ptr) : trailers.len;

		r = buf_append(into, slice_of(trailers.ptr, len));
		r = r < 0 ? r : buf_append(into, slice_text("\r\n"));
		trailers = slice_skip(trailers, end ? len + 1 : len);
	}
	return r < 0 ? r : buf_append(into, slice_text("\r\n"));
}
