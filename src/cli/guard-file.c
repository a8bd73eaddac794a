#include "cli/guard-file.h"

#include "base/text.h"
#include "wire/guard.h"

#include <errno.h>
#include <stdint.h>

int guard_file_check(struct slice text, struct err *err)
{
	auto_buf struct buf shown = {0};
	struct guard_rule rule;
	unsigned line = 0;
	struct slice words;
	int r;

	do
		r = guard_take(&text, &line, &words, &rule);
	while (r > 0);
	if (r == 0)
		return 0;
	(void)text_printable(&shown, words, false);
	return err_set(
		err, r,
		"line %u of the rules for guarded paths is none: '%.80s'; a rule is 'guard PATTERN' or "
		"'allow PATTERN'",
		line, buf_text(&shown));
}

/* Comments and what is no rule stay as they are. */
static int copy_others(struct slice text,
		       bool (*is_wanted)(struct slice line, const struct guard_rule *rule, void *data),
		       void *data, struct buf *ret)
{
	int r = 0, n_left_out = 0;

	while (r == 0 && text.len > 0) {
		struct slice rest = text, line;
		const char *end = memchr(text.ptr, '\n', text.len);
		struct guard_rule rule;
		unsigned number = 0;
		size_t len = end ? (size_t)(end - text.ptr) + 1 : text.len;

		rest.len = len;
		if (guard_take(&rest, &number, &line, &rule) > 0 && is_wanted(line, &rule, data))
			n_left_out++;
		else
			r = buf_append(ret, slice_of(text.ptr, len));
		if (r == 0 && !end)
			r = buf_append(ret, slice_text("\n"));
		text = slice_skip(text, len);
	}
	return r < 0 ? r : n_left_out;
}

static bool is_same(struct slice line, const struct guard_rule *rule, void *data)
{
	(void)rule;
	return slice_is(line, data);
}

static bool is_of_pattern(struct slice line, const struct guard_rule *rule, void *data)
{
	(void)line;
	return slice_is(rule->pattern, data);
}

int guard_file_add(struct slice text, const char *rule, struct buf *ret)
{
	int r = copy_others(text, is_same, (void *)(uintptr_t)rule, ret);

	return r < 0 ? r : buf_printf(ret, "%s\n", rule);
}

int guard_file_remove(struct slice text, const char *pattern, struct buf *ret)
{
	return copy_others(text, is_of_pattern, (void *)(uintptr_t)pattern, ret);
}
