#include "guest/strings.h"

#include "base/buf.h"

#include <errno.h>
#include <stdlib.h>

void strings_done(struct strings *strings)
{
	for (size_t i = 0; i < strings->count; i++)
		free(strings->items[i]);
	free(strings->items);
	*strings = (struct strings){0};
}

static int make_room(struct strings *strings)
{
	size_t room = strings->room ? strings->room * 2 : 16;
	char **items;

	if (strings->count + 1 < strings->room)
		return 0;
	items = realloc(strings->items, room * sizeof(*items));
	if (!items)
		return -ENOMEM;
	strings->items = items;
	strings->room = room;
	return 0;
}

int strings_add(struct strings *strings, struct slice text)
{
	char *copy;
	int r;

	if (memchr(text.ptr, '\0', text.len))
		return -EINVAL;
	if (strings->count >= STRINGS_MAX || text.len + 1 > STRINGS_MAX_BYTES - strings->bytes)
		return -E2BIG;
	r = make_room(strings);
	if (r < 0)
		return r;
	copy = strndup(text.ptr, text.len);
	if (!copy)
		return -ENOMEM;
	strings->items[strings->count++] = copy;
	strings->items[strings->count] = NULL;
	strings->bytes += text.len + 1;
	return 0;
}

static char **find(const struct strings *strings, const char *name, size_t name_len)
{
	for (size_t i = 0; i < strings->count; i++)
		if (strncmp(strings->items[i], name, name_len) == 0 && strings->items[i][name_len] == '=')
			return &strings->items[i];
	return NULL;
}

int strings_set(struct strings *strings, struct slice assignment)
{
	const char *equals = memchr(assignment.ptr, '=', assignment.len);
	char **found, *last;
	size_t len;
	int r;

	if (!equals || equals == assignment.ptr)
		return -EINVAL;
	if (strings->count >= STRINGS_SET_MAX)
		return -E2BIG;
	r = strings_add(strings, assignment);
	if (r < 0)
		return r;
	found = find(strings, assignment.ptr, (size_t)(equals - assignment.ptr));
	last = strings->items[strings->count - 1];
	if (!found || *found == last)
		return 0;
	len = strlen(*found) + 1;
	free(*found);
	*found = last;
	strings->items[--strings->count] = NULL;
	strings->bytes -= len;
	return 0;
}

int strings_set_pair(struct strings *strings, const char *name, const char *value)
{
	auto_buf struct buf text = {0};
	int r = buf_printf(&text, "%s=%s", name, value);

	return r < 0 ? r : strings_set(strings, buf_slice(&text));
}

const char *strings_value(const struct strings *strings, const char *name)
{
	char **found = find(strings, name, strlen(name));

	return found ? *found + strlen(name) + 1 : NULL;
}
