#include "guest/environment.h"

/* As long as the guest runs; there is one guest program. */
static struct strings variables;

int environment_apply(struct slice lines)
{
	struct strings fresh = {0};
	int r = 0;

	while (r == 0 && lines.len > 0) {
		const char *end = memchr(lines.ptr, '\n', lines.len);
		size_t len = end ? (size_t)(end - lines.ptr) : lines.len;

		if (len > 0)
			r = strings_set(&fresh, slice_of(lines.ptr, len));
		lines = slice_skip(lines, len + (end ? 1 : 0));
	}
	if (r < 0) {
		strings_done(&fresh);
		return r;
	}
	strings_done(&variables);
	variables = fresh;
	return 0;
}

int environment_add(struct strings *into)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < variables.count; i++)
		r = strings_set(into, slice_text(variables.items[i]));
	return r;
}
