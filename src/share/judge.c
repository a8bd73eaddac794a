#include "share/judge.h"

#include "base/mem.h"

#include <errno.h>
#include <strings.h>

void judge_done(struct judge_rules *rules)
{
	for (size_t i = 0; i < rules->count; i++)
		free(rules->lines[i]);
	free(rules->lines);
	*rules = (struct judge_rules){0};
}

int judge_add(struct judge_rules *rules, struct slice line)
{
	struct guard_rule rule;
	char **grown;
	int r;

	if (slice_is(line, "reset")) {
		judge_done(rules);
		return 0;
	}
	r = guard_parse(line, &rule);
	if (r < 0 || rules->count >= JUDGE_RULES_MAX)
		return r < 0 ? r : -E2BIG;
	grown = realloc(rules->lines, (rules->count + 1) * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	rules->lines = grown;
	grown[rules->count] = strndup(line.ptr, line.len);
	if (!grown[rules->count])
		return -ENOMEM;
	rules->count++;
	return 0;
}

/* ---- the person's rules ---- */

struct said {
	bool is_said, allows;
	bool guards_below;
};

static struct said ask_rules(const struct judge_rules *rules, struct slice path)
{
	struct said said = {0};

	for (size_t i = 0; i < rules->count; i++) {
		struct guard_rule rule;
		enum guard_match match;

		if (guard_parse(slice_text(rules->lines[i]), &rule) < 0)
			continue;
		match = guard_match(rule.pattern, path, false);
		if (match == GUARD_MATCH)
			said = (struct said){.is_said = true, .allows = rule.allows};
		else if (match == GUARD_MATCH_BELOW && !rule.allows)
			said.guards_below = true;
	}
	return said;
}

/* ---- the table ---- */

static bool is_name(struct slice name, const char *text)
{
	return name.len == strlen(text) && strncasecmp(name.ptr, text, name.len) == 0;
}

static struct slice last_name(struct slice path)
{
	struct slice name = {NULL, 0};

	while (path.len > 0)
		name = guard_next(&path);
	return name;
}

static bool is_at(enum guard_anchor anchor, struct slice folder, const struct judge_view *view)
{
	if (anchor == GUARD_AT_GIT)
		return is_name(last_name(folder), ".git") || view->is_git(folder, view->data);
	return folder.len == 0 || view->is_repository(folder, view->data);
}

static size_t count_names(struct slice path)
{
	size_t count = 0;

	for (; path.len > 0; count++)
		(void)guard_next(&path);
	return count;
}

/* What the row says of the very place or of what lies below it. */
static enum guard_place apply(const struct guard_row *row, struct slice rest, bool is_folder)
{
	bool is_here = count_names(rest) == count_names(slice_text(row->pattern));

	if (!is_here)
		return GUARD_CLOSED;
	return is_folder == (row->place == GUARD_HOOKS) ? row->place : GUARD_CLOSED;
}

static enum guard_place look_up(struct slice folder, struct slice rest, bool is_folder,
				const struct judge_view *view)
{
	enum guard_place place = GUARD_FREE;

	for (const struct guard_row *row = guard_rows; row->pattern; row++) {
		enum guard_match match = row->anchor == GUARD_ANYWHERE
						 ? GUARD_NO_MATCH
						 : guard_match(slice_text(row->pattern), rest, true);

		if (match == GUARD_NO_MATCH || (match == GUARD_MATCH_BELOW && place == GUARD_ABOVE) ||
		    !is_at(row->anchor, folder, view))
			continue;
		if (match == GUARD_MATCH)
			return apply(row, rest, is_folder);
		place = GUARD_ABOVE;
	}
	return place;
}

/* By its last name alone. */
static enum guard_place look_up_name(struct slice name, bool is_folder)
{
	/* Git's own folder: what is guarded in it is so by its name. */
	if (is_folder)
		return is_name(name, ".git") ? GUARD_ABOVE : GUARD_FREE;
	for (const struct guard_row *row = guard_rows; row->pattern; row++)
		if (row->anchor == GUARD_ANYWHERE && is_name(name, row->pattern))
			return row->place;
	return GUARD_FREE;
}

static enum guard_place ask_table(struct slice path, bool is_folder, const struct judge_view *view)
{
	enum guard_place place = look_up_name(last_name(path), is_folder);
	struct slice rest = path;

	while (rest.len > 0) {
		size_t len = (size_t)(rest.ptr - path.ptr);
		struct slice folder = {path.ptr, len > 0 ? len - 1 : 0};
		enum guard_place here = look_up(folder, rest, is_folder, view);

		if (here != GUARD_FREE && here != GUARD_ABOVE)
			return here;
		if (here == GUARD_ABOVE && place == GUARD_FREE)
			place = here;
		(void)guard_next(&rest);
	}
	return place;
}

enum guard_place judge_path(const struct judge_rules *rules, struct slice path, bool is_folder,
			    const struct judge_view *view)
{
	struct said said = ask_rules(rules, path);
	enum guard_place place =
		said.is_said ? (said.allows ? GUARD_FREE : GUARD_CLOSED) : ask_table(path, is_folder, view);

	return place == GUARD_FREE && said.guards_below ? GUARD_ABOVE : place;
}

bool judge_may(enum guard_place place, enum judge_act act)
{
#define BIT(name) (1U << (ACT_##name))
	static const unsigned may[] = {
		[GUARD_FREE] = (1U << ACTS) - 1,
		[GUARD_CLOSED] = 0,
		[GUARD_HOOKS] = BIT(MKDIR) | BIT(RMDIR),
		[GUARD_SAMPLE] = BIT(CREATE) | BIT(WRITE) | BIT(CHANGE) | BIT(UNLINK),
		/* Git sets its mode to find out whether modes are kept. */
		[GUARD_CONFIG] = BIT(CHANGE) | BIT(UNLINK) | BIT(MOVE_ONTO),
		[GUARD_POINTER] = BIT(CREATE) | BIT(WRITE) | BIT(CHANGE) | BIT(UNLINK),
		[GUARD_ABOVE] =
			BIT(CREATE) | BIT(MKDIR) | BIT(WRITE) | BIT(CHANGE) | BIT(UNLINK) | BIT(RMDIR),
	};
#undef BIT
	return may[place] >> act & 1;
}
