/* Guarded paths as a function: the table, the person's rules, and what the two make of a path. */
#include "share/judge.h"

#include "base/mem.h"

#include "unit.h"

#include <errno.h>

/* A project folder with a repository of the host's in it, and one that looks like git's own folder. */
static bool is_repository(struct slice folder, void *data)
{
	(void)data;
	return slice_is(folder, "lib/theirs");
}

static bool is_git(struct slice folder, void *data)
{
	(void)data;
	return slice_is(folder, "mirror.git");
}

static const struct judge_view view = {.is_repository = is_repository, .is_git = is_git};

static const struct {
	const char *path;
	enum guard_place of_file, of_folder;
} cases[] = {
	{"", GUARD_FREE, GUARD_FREE},
	{"README.md", GUARD_FREE, GUARD_FREE},
	{"src/hooks/use.ts", GUARD_FREE, GUARD_FREE},
	{"config", GUARD_FREE, GUARD_FREE},
	/* the roots of repositories, and nowhere else */
	{".vscode", GUARD_CLOSED, GUARD_CLOSED},
	{".vscode/tasks.json", GUARD_CLOSED, GUARD_CLOSED},
	{".vscode/deep/down", GUARD_CLOSED, GUARD_CLOSED},
	{".VSCode/tasks.json", GUARD_CLOSED, GUARD_CLOSED},
	{".vscode2/tasks.json", GUARD_FREE, GUARD_FREE},
	{"node_modules/x/.vscode/settings.json", GUARD_FREE, GUARD_FREE},
	{"lib/theirs/.vscode/settings.json", GUARD_CLOSED, GUARD_CLOSED},
	{"lib/theirs/.envrc", GUARD_CLOSED, GUARD_CLOSED},
	{"lib/theirs/sub/.envrc", GUARD_FREE, GUARD_FREE},
	{".envrc", GUARD_CLOSED, GUARD_CLOSED},
	{".env", GUARD_FREE, GUARD_FREE},
	{".github", GUARD_ABOVE, GUARD_ABOVE},
	{".GitHub", GUARD_ABOVE, GUARD_ABOVE},
	{".github/workflows", GUARD_CLOSED, GUARD_CLOSED},
	{".github/workflows/ci.yml", GUARD_CLOSED, GUARD_CLOSED},
	{".github/CODEOWNERS", GUARD_FREE, GUARD_FREE},
	{".claude/settings.json", GUARD_CLOSED, GUARD_CLOSED},
	{".npmrc", GUARD_CLOSED, GUARD_CLOSED},
	{"packages/a/.npmrc", GUARD_FREE, GUARD_FREE},
	/* git's own folders, wherever they are */
	{".git", GUARD_POINTER, GUARD_ABOVE},
	{".GIT", GUARD_POINTER, GUARD_ABOVE},
	{"a/b/.git", GUARD_POINTER, GUARD_ABOVE},
	{".git/hooks", GUARD_CLOSED, GUARD_HOOKS},
	{".git/hooks/pre-commit", GUARD_CLOSED, GUARD_CLOSED},
	{".git/hooks/pre-commit.sample", GUARD_SAMPLE, GUARD_CLOSED},
	{".git/hooks/x.sample/post-checkout", GUARD_CLOSED, GUARD_CLOSED},
	{".GIT/Hooks/pre-commit", GUARD_CLOSED, GUARD_CLOSED},
	{".git/config", GUARD_CONFIG, GUARD_CLOSED},
	{".git/CONFIG", GUARD_CONFIG, GUARD_CLOSED},
	{".git/config/x", GUARD_CLOSED, GUARD_CLOSED},
	{".git/config.lock", GUARD_FREE, GUARD_FREE},
	{".git/config.worktree", GUARD_CONFIG, GUARD_CLOSED},
	{".git/index", GUARD_FREE, GUARD_FREE},
	{".git/info/attributes", GUARD_FREE, GUARD_FREE},
	{".gitattributes", GUARD_FREE, GUARD_FREE},
	{"a/b/.git/hooks/post-checkout", GUARD_CLOSED, GUARD_CLOSED},
	{"node_modules/x/.git/config", GUARD_CONFIG, GUARD_CLOSED},
	{".git/modules", GUARD_ABOVE, GUARD_ABOVE},
	{".git/modules/x", GUARD_ABOVE, GUARD_ABOVE},
	{".git/modules/x/config", GUARD_CONFIG, GUARD_CLOSED},
	{".git/modules/x/hooks", GUARD_CLOSED, GUARD_HOOKS},
	{".git/modules/x/hooks/update", GUARD_CLOSED, GUARD_CLOSED},
	{".git/modules/x/hooks/update.sample", GUARD_SAMPLE, GUARD_CLOSED},
	{".git/worktrees", GUARD_ABOVE, GUARD_ABOVE},
	{".git/worktrees/w/config.worktree", GUARD_CONFIG, GUARD_CLOSED},
	{".git/worktrees/w/commondir", GUARD_POINTER, GUARD_FREE},
	{"node_modules/commondir", GUARD_POINTER, GUARD_FREE},
	/* what git would take for one */
	{"mirror.git/config", GUARD_CONFIG, GUARD_CLOSED},
	{"mirror.git/hooks/post-receive", GUARD_CLOSED, GUARD_CLOSED},
	{"other/hooks/post-receive", GUARD_FREE, GUARD_FREE},
};

static void test_table(void **state)
{
	const struct judge_rules none = {0};

	(void)state;
	for (size_t i = 0; i < array_len(cases); i++) {
		struct slice path = slice_text(cases[i].path);

		if (judge_path(&none, path, false, &view) != cases[i].of_file ||
		    judge_path(&none, path, true, &view) != cases[i].of_folder)
			fail_msg("%s: %d and %d", cases[i].path, judge_path(&none, path, false, &view),
				 judge_path(&none, path, true, &view));
	}
}

static const struct {
	const char *pattern, *path;
	enum guard_match match;
} matches[] = {
	{"a", "a", GUARD_MATCH},
	{"a", "a/b", GUARD_MATCH},
	{"a", "ab", GUARD_NO_MATCH},
	{"a/b", "a", GUARD_MATCH_BELOW},
	{"a/b", "", GUARD_MATCH_BELOW},
	{"a/b", "b", GUARD_NO_MATCH},
	{"a/**", "a", GUARD_MATCH},
	{"a/**", "a/b/c", GUARD_MATCH},
	{"*.sh", "run.sh", GUARD_MATCH},
	{"*.sh", "bin/run.sh", GUARD_NO_MATCH},
	{"**/*.sh", "run.sh", GUARD_MATCH},
	{"**/*.sh", "a/b/run.sh", GUARD_MATCH},
	{"**/*.sh", "a/b", GUARD_NO_MATCH},
	{"src/**/x", "src", GUARD_MATCH_BELOW},
	{"src/**/x", "src/a/b", GUARD_MATCH_BELOW},
	{"src/**/x", "src/a/b/x", GUARD_MATCH},
	{"src/**/x", "src/x", GUARD_MATCH},
	{"src/**/x/y", "src/x/x/y", GUARD_MATCH},
	{"src/**/x", "lib/x", GUARD_NO_MATCH},
	{"a*b*c", "axxbyybzc", GUARD_MATCH},
	{"a*b*c", "axxbyybz", GUARD_NO_MATCH},
	{"**", "anything/at/all", GUARD_MATCH},
	{"A", "a", GUARD_NO_MATCH},
};

static void test_patterns(void **state)
{
	(void)state;
	for (size_t i = 0; i < array_len(matches); i++)
		if (guard_match(slice_text(matches[i].pattern), slice_text(matches[i].path), false) !=
		    matches[i].match)
			fail_msg("%s against %s", matches[i].pattern, matches[i].path);
	assert_int_equal(guard_match(slice_text("A/b"), slice_text("a/B"), true), GUARD_MATCH);
}

/* Whether somebody spends a long time on a pattern is not the pattern's to decide. */
static void test_pattern_that_wants_time(void **state)
{
	char name[256];

	(void)state;
	memset(name, 'a', sizeof(name));
	assert_int_equal(
		guard_match(slice_text("*a*a*a*a*a*a*a*a*a*a*a*a*b"), slice_of(name, sizeof(name)), false),
		GUARD_NO_MATCH);
}

static void expect(const struct judge_rules *rules, const char *path, enum guard_place place)
{
	if (judge_path(rules, slice_text(path), false, &view) != place)
		fail_msg("%s: %d", path, judge_path(rules, slice_text(path), false, &view));
}

static void test_rules(void **state)
{
	struct judge_rules rules = {0};

	(void)state;
	assert_int_equal(judge_add(&rules, slice_text("guard deploy/*.sh")), 0);
	assert_int_equal(judge_add(&rules, slice_text("guard secrets")), 0);
	assert_int_equal(judge_add(&rules, slice_text("allow .vscode/settings.json")), 0);
	assert_int_equal(judge_add(&rules, slice_text("allow .github")), 0);
	expect(&rules, "deploy", GUARD_ABOVE);
	expect(&rules, "deploy/run.sh", GUARD_CLOSED);
	expect(&rules, "deploy/run.py", GUARD_FREE);
	expect(&rules, "secrets", GUARD_CLOSED);
	expect(&rules, "secrets/a/b", GUARD_CLOSED);
	expect(&rules, ".vscode/settings.json", GUARD_FREE);
	expect(&rules, ".vscode/tasks.json", GUARD_CLOSED);
	expect(&rules, ".github/workflows/ci.yml", GUARD_FREE);
	assert_int_equal(judge_add(&rules, slice_text("guard .github/workflows/release.yml")), 0);
	expect(&rules, ".github/workflows/ci.yml", GUARD_FREE);
	expect(&rules, ".github/workflows", GUARD_ABOVE);
	expect(&rules, ".github/workflows/release.yml", GUARD_CLOSED);
	assert_int_equal(judge_add(&rules, slice_text("allow **")), 0);
	expect(&rules, ".git/hooks/pre-commit", GUARD_FREE);
	expect(&rules, "deploy", GUARD_FREE);
	assert_int_equal(judge_add(&rules, slice_text("reset")), 0);
	expect(&rules, "secrets", GUARD_FREE);
	expect(&rules, ".git/hooks/pre-commit", GUARD_CLOSED);
	judge_done(&rules);
}

static void test_bad_rules(void **state)
{
	static const char *const bad[] = {"",           "guard",    "guard ",     "guard /a",
					  "guard a//b", "guard a/", "guard ..",   "guard a/../b",
					  "allow ./a",  "deny a",   "guard a\nb", "Guard a"};
	struct judge_rules rules = {0};

	(void)state;
	for (size_t i = 0; i < array_len(bad); i++)
		assert_int_equal(judge_add(&rules, slice_text(bad[i])), -EINVAL);
	for (size_t i = 0; i < JUDGE_RULES_MAX; i++)
		assert_int_equal(judge_add(&rules, slice_text("guard a")), 0);
	assert_int_equal(judge_add(&rules, slice_text("guard a")), -E2BIG);
	judge_done(&rules);
}

static void test_acts(void **state)
{
	(void)state;
	for (int act = 0; act < ACTS; act++) {
		assert_true(judge_may(GUARD_FREE, act));
		assert_false(judge_may(GUARD_CLOSED, act));
		/* Moving and linking get around whatever is judged by what is written. */
		if (act == ACT_LINK || act == ACT_LINK_FROM || act == ACT_MOVE_FROM || act == ACT_SYMLINK)
			for (int place = GUARD_CLOSED; place <= GUARD_ABOVE; place++)
				assert_false(judge_may(place, act));
	}
	assert_true(judge_may(GUARD_CONFIG, ACT_MOVE_ONTO));
	assert_false(judge_may(GUARD_CONFIG, ACT_CREATE));
	assert_false(judge_may(GUARD_CONFIG, ACT_WRITE));
	assert_false(judge_may(GUARD_POINTER, ACT_MOVE_ONTO));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_patterns),
		cmocka_unit_test(test_pattern_that_wants_time),
		cmocka_unit_test(test_rules),
		cmocka_unit_test(test_bad_rules),
		cmocka_unit_test(test_acts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
