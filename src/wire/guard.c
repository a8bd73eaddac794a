#include "wire/guard.h"

#include <errno.h>

/*
 * Not among them: .gitattributes, as the filters that it names are in git's configuration; package.json,
 * Makefile and what else a person runs knowingly.
 */
const struct guard_row guard_rows[] = {
	{GUARD_AT_GIT, "hooks/*.sample", GUARD_SAMPLE,
	 "git runs none of that name: 'git init' may make them"},
	{GUARD_AT_GIT, "hooks", GUARD_HOOKS, "git runs them"},
	{GUARD_AT_GIT, "config", GUARD_CONFIG, "git runs what some keys name; others may be set"},
	{GUARD_AT_GIT, "config.worktree", GUARD_CONFIG, "as config"},
	{GUARD_AT_GIT, "modules/*/hooks/*.sample", GUARD_SAMPLE, "as hooks/*.sample"},
	{GUARD_AT_GIT, "modules/*/hooks", GUARD_HOOKS, "git runs them, in submodules"},
	{GUARD_AT_GIT, "modules/*/config", GUARD_CONFIG, "as config, of submodules"},
	{GUARD_AT_GIT, "worktrees/*/config.worktree", GUARD_CONFIG, "as config, of worktrees"},
	{GUARD_ANYWHERE, ".git", GUARD_POINTER, "a file that leads git elsewhere"},
	{GUARD_ANYWHERE, "commondir", GUARD_POINTER, "a file that leads git elsewhere"},
	{GUARD_AT_REPOSITORY, ".vscode", GUARD_CLOSED, "Visual Studio Code runs tasks and obeys settings"},
	{GUARD_AT_REPOSITORY, ".idea", GUARD_CLOSED, "JetBrains' editors run tasks and obey settings"},
	{GUARD_AT_REPOSITORY, ".zed", GUARD_CLOSED, "Zed runs tasks and obeys settings"},
	{GUARD_AT_REPOSITORY, ".claude", GUARD_CLOSED, "Claude Code runs hooks and obeys settings"},
	{GUARD_AT_REPOSITORY, ".codex", GUARD_CLOSED, "Codex obeys it"},
	{GUARD_AT_REPOSITORY, ".gemini", GUARD_CLOSED, "Gemini CLI obeys it"},
	{GUARD_AT_REPOSITORY, ".cursor", GUARD_CLOSED, "Cursor runs servers and obeys rules"},
	{GUARD_AT_REPOSITORY, ".kiro", GUARD_CLOSED, "Kiro runs hooks and obeys settings"},
	{GUARD_AT_REPOSITORY, ".opencode", GUARD_CLOSED, "OpenCode obeys it"},
	{GUARD_AT_REPOSITORY, ".mcp.json", GUARD_CLOSED, "agents run the servers that it names"},
	{GUARD_AT_REPOSITORY, ".devcontainer", GUARD_CLOSED, "editors build and run it"},
	{GUARD_AT_REPOSITORY, ".devcontainer.json", GUARD_CLOSED, "editors build and run it"},
	{GUARD_AT_REPOSITORY, ".envrc", GUARD_CLOSED, "direnv runs it"},
	{GUARD_AT_REPOSITORY, ".husky", GUARD_CLOSED, "git runs it where husky is used"},
	{GUARD_AT_REPOSITORY, ".pre-commit-config.yaml", GUARD_CLOSED, "pre-commit runs what it names"},
	{GUARD_AT_REPOSITORY, ".github/workflows", GUARD_CLOSED, "GitHub runs it, with secrets, once pushed"},
	{GUARD_AT_REPOSITORY, ".npmrc", GUARD_CLOSED, "npm obeys it: registries, scripts"},
	{GUARD_AT_REPOSITORY, ".yarnrc.yml", GUARD_CLOSED, "Yarn runs the program that it names"},
	{GUARD_ANYWHERE, NULL, GUARD_FREE, NULL},
};

struct slice guard_next(struct slice *path)
{
	const char *slash = path->len > 0 ? memchr(path->ptr, '/', path->len) : NULL;
	struct slice first = {path->ptr, slash ? (size_t)(slash - path->ptr) : path->len};

	*path = slice_skip(*path, first.len + (slash ? 1 : 0));
	return first;
}

static bool same(char a, char b, bool folds_case)
{
	/* As in the C locale, whatever this process's is. */
	if (folds_case && a >= 'A' && a <= 'Z')
		a = (char)(a - 'A' + 'a');
	if (folds_case && b >= 'A' && b <= 'Z')
		b = (char)(b - 'A' + 'a');
	return a == b;
}

static bool name_matches(struct slice pattern, struct slice name, bool folds_case)
{
	size_t at = 0, star = pattern.len, tried = 0;

	for (size_t i = 0; i < name.len;) {
		if (at < pattern.len && pattern.ptr[at] == '*') {
			star = at++;
			tried = i;
		} else if (at < pattern.len && same(pattern.ptr[at], name.ptr[i], folds_case)) {
			at++;
			i++;
		} else if (star < pattern.len) {
			at = star + 1;
			i = ++tried;
		} else {
			return false;
		}
	}
	while (at < pattern.len && pattern.ptr[at] == '*')
		at++;
	return at == pattern.len;
}

static bool only_stars(struct slice pattern)
{
	while (pattern.len > 0)
		if (!slice_is(guard_next(&pattern), "**"))
			return false;
	return true;
}

enum guard_match guard_match(struct slice pattern, struct slice path, bool folds_case)
{
	struct slice whole = pattern, after_stars = {NULL, 0}, tried = path;

	while (path.len > 0 && !only_stars(pattern)) {
		struct slice rest = pattern, names = path;
		struct slice wanted = guard_next(&rest), name = guard_next(&names);

		if (slice_is(wanted, "**")) {
			pattern = after_stars = rest;
			tried = path;
		} else if (name_matches(wanted, name, folds_case)) {
			pattern = rest;
			path = names;
		} else if (after_stars.len > 0) {
			(void)guard_next(&tried);
			path = tried;
			pattern = after_stars;
		} else {
			return GUARD_NO_MATCH;
		}
	}
	if (only_stars(pattern))
		return GUARD_MATCH;
	return slice_is(guard_next(&whole), "**") ? GUARD_NO_MATCH : GUARD_MATCH_BELOW;
}

bool guard_is_pattern(struct slice pattern)
{
	if (pattern.len == 0 || pattern.len > GUARD_PATTERN_MAX_BYTES || pattern.ptr[pattern.len - 1] == '/')
		return false;
	for (size_t i = 0; i < pattern.len; i++)
		if ((unsigned char)pattern.ptr[i] < 0x20 || pattern.ptr[i] == 0x7f)
			return false;
	while (pattern.len > 0) {
		struct slice name = guard_next(&pattern);

		if (name.len == 0 || slice_is(name, ".") || slice_is(name, ".."))
			return false;
	}
	return true;
}

int guard_parse(struct slice line, struct guard_rule *ret)
{
	bool allows = line.len > 6 && memcmp(line.ptr, "allow ", 6) == 0;

	if (!allows && (line.len <= 6 || memcmp(line.ptr, "guard ", 6) != 0))
		return -EINVAL;
	line = slice_skip(line, 6);
	if (!guard_is_pattern(line))
		return -EINVAL;
	*ret = (struct guard_rule){.allows = allows, .pattern = line};
	return 0;
}

static struct slice trim(struct slice line)
{
	while (line.len > 0 && (*line.ptr == ' ' || *line.ptr == '\t'))
		line = slice_skip(line, 1);
	while (line.len > 0 && line.ptr[line.len - 1] && strchr(" \t\r", line.ptr[line.len - 1]))
		line.len--;
	return line;
}

int guard_take(struct slice *text, unsigned *line, struct slice *ret_line, struct guard_rule *ret)
{
	while (text->len > 0) {
		const char *end = memchr(text->ptr, '\n', text->len);
		struct slice all = {text->ptr, end ? (size_t)(end - text->ptr) : text->len};

		*text = slice_skip(*text, all.len + (end ? 1 : 0));
		++*line;
		*ret_line = trim(all);
		if (ret_line->len > 0 && *ret_line->ptr != '#')
			return guard_parse(*ret_line, ret) < 0 ? -EINVAL : 1;
	}
	return 0;
}
