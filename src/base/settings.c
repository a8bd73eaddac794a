#include "base/settings.h"

#include <string.h>

static struct slice trim(struct slice text)
{
	while (text.len > 0 && strchr(" \t\r", text.ptr[0]))
		text = slice_skip(text, 1);
	while (text.len > 0 && strchr(" \t\r", text.ptr[text.len - 1]))
		text.len--;
	return text;
}

/* Takes one line, without its end, from the front of the text. */
static struct slice take_line(struct slice *text)
{
	const char *end = memchr(text->ptr, '\n', text->len);
	struct slice line = slice_of(text->ptr, end ? (size_t)(end - text->ptr) : text->len);

	*text = slice_skip(*text, end ? line.len + 1 : line.len);
	return line;
}

/* Whether the line sets the key, and to what. */
static bool sets(struct slice line, const char *key, struct slice *ret_value)
{
	size_t len = 0;

	line = trim(line);
	while (len < line.len && line.ptr[len] != ' ' && line.ptr[len] != '\t')
		len++;
	*ret_value = trim(slice_skip(line, len));
	return slice_is(slice_of(line.ptr, len), key);
}

struct slice settings_get(struct slice text, const char *key)
{
	struct slice value;

	while (text.len > 0)
		if (sets(take_line(&text), key, &value))
			return value;
	return slice_text("");
}

int settings_set(struct slice text, const char *key, const char *value, struct buf *ret)
{
	struct slice old;
	int r = 0;

	while (r == 0 && text.len > 0) {
		struct slice line = take_line(&text);
		bool is_it = sets(line, key, &old);

		if (is_it && value)
			r = buf_printf(ret, "%s %s\n", key, value);
		if (is_it)
			value = NULL;
		else
			r = r < 0 ? r : buf_printf(ret, "%.*s\n", (int)line.len, line.ptr);
	}
	return r == 0 && value ? buf_printf(ret, "%s %s\n", key, value) : r;
}
