#include "cli/wish.h"

#include "base/file.h"

#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static char root[64];
static struct paths paths;

/* The current folder is root/home/here; one, two and file lie in it. */
static int setup(void **state)
{
	(void)state;
	strcpy(root, "/tmp/sbx-test-XXXXXX");
	assert_non_null(mkdtemp(root));
	assert_int_equal(chdir(root), 0);
	assert_int_equal(file_make_dirs("home/here/one", NULL), 0);
	assert_int_equal(mkdir("home/here/two", 0755), 0);
	assert_int_equal(mkdir("state", 0755), 0);
	close(open("home/here/file", O_CREAT | O_WRONLY, 0600));
	assert_int_equal(chdir("state"), 0);
	setenv("SBX_HOME", getcwd((char[128]){""}, 128), 1);
	assert_int_equal(paths_open(&paths, NULL), 0);
	return chdir("../home/here");
}

static int teardown(void **state)
{
	(void)state;
	assert_int_equal(chdir("/"), 0);
	return file_remove_tree(AT_FDCWD, root, NULL);
}

/* The names of folders and of mounts, each ended by a NULL. */
struct names {
	const char *folders[4], *mounts[4];
};

static int open_wish(const struct names *names, struct wish *ret, struct err *err)
{
	static struct option_list mounts;
	struct wish_words words = {.folders = (char *const *)(uintptr_t)names->folders, .mounts = &mounts};

	mounts = (struct option_list){0};
	while (names->folders[words.n_folders])
		words.n_folders++;
	for (; names->mounts[mounts.count]; mounts.count++)
		mounts.items[mounts.count] = names->mounts[mounts.count];
	return wish_open(&paths, &words, ret, err);
}

static void works_in(struct names names, const char *workspace, size_t count, bool lacks_current)
{
	auto_wish struct wish wish = {0};
	struct err err = {.text = ""};
	char path[128];

	if (open_wish(&names, &wish, &err) < 0)
		fail_msg("%s", err.text);
	snprintf(path, sizeof(path), "%s/home/here%s", root, workspace);
	assert_string_equal(wish.workspace, path);
	assert_int_equal(wish.count, count);
	assert_int_equal(wish.lacks_current, lacks_current);
}

static void test_workspace(void **state)
{
	(void)state;
	works_in((struct names){.folders = {NULL}}, "", 0, true);
	works_in((struct names){.folders = {"one", "two:ro"}}, "/one", 2, false);
	works_in((struct names){.folders = {"two"}, .mounts = {"one"}}, "/two", 2, false);
	works_in((struct names){.mounts = {"one"}}, "/one", 1, false);
	works_in((struct names){.mounts = {"one:/t", "two:ro"}}, "/two", 2, false);
	works_in((struct names){.mounts = {"one:/t:ro"}}, "", 1, true);
	works_in((struct names){.mounts = {"file:ro"}}, "", 1, true);
}

static void fails(struct names names, const char *part)
{
	auto_wish struct wish wish = {0};
	struct err err = {.text = ""};

	assert_true(open_wish(&names, &wish, &err) < 0);
	if (!strstr(err.text, part))
		fail_msg("'%s' is not in '%s'", part, err.text);
}

static void test_refusals(void **state)
{
	(void)state;
	fails((struct names){.folders = {"none"}}, "what is for the agent goes after '--'");
	fails((struct names){.folders = {"file:ro"}}, "name the folder to work in first");
	fails((struct names){.folders = {"one", "file"}}, "put ':ro' behind it");
	fails((struct names){.folders = {"one"}, .mounts = {"one:/t:ro"}}, "cannot be read-only");
	fails((struct names){.folders = {"one", "one"}}, "cannot both be at");
}

static void test_the_current_folder(void **state)
{
	const struct names names = {.mounts = {"one:/t"}}, reading = {.mounts = {"one:/t:ro"}};
	auto_sandbox struct sandbox sandbox = {0};
	auto_wish struct wish wish = {0}, wrong = {0};
	struct err err = {.text = ""};

	(void)state;
	assert_int_equal(open_wish(&names, &wish, NULL), 0);
	assert_int_equal(wish_add_current(&paths, false, &wish, NULL), 0);
	assert_int_equal(wish_add_current(&paths, false, &wish, NULL), 0);
	assert_int_equal(wish.count, 2);
	assert_int_equal(wish_describe(&wish, &sandbox, NULL), 0);
	assert_int_equal(sandbox.n_shares, 2);
	assert_string_equal(sandbox_find_share(&sandbox, sandbox.workspace)->target, sandbox.workspace);
	assert_int_equal(wish_check_had(&wish, &sandbox, NULL), 0);
	/* The current folder may be changed, and so may all in it. */
	assert_int_equal(open_wish(&reading, &wrong, NULL), 0);
	assert_int_equal(wish_add_current(&paths, false, &wrong, &err), -EPERM);
}

static void test_what_one_has(void **state)
{
	const struct names had = {.folders = {"one", "two:ro"}},
			   other = {.folders = {"one"}, .mounts = {"two:/t"}};
	const struct names less = {.folders = {"one"}}, mode = {.folders = {"one", "two"}};
	auto_wish struct wish all = {0}, some = {0}, elsewhere = {0}, writing = {0};
	auto_sandbox struct sandbox sandbox = {.name = "box"};
	struct err err;

	(void)state;
	assert_int_equal(open_wish(&had, &all, NULL), 0);
	assert_int_equal(open_wish(&other, &elsewhere, NULL), 0);
	assert_int_equal(open_wish(&less, &some, NULL), 0);
	assert_int_equal(open_wish(&mode, &writing, NULL), 0);
	assert_int_equal(wish_describe(&all, &sandbox, NULL), 0);
	assert_int_equal(wish_check_had(&all, &sandbox, NULL), 0);
	assert_int_equal(wish_check_had(&some, &sandbox, NULL), 0);
	assert_int_equal(wish_check_had(&elsewhere, &sandbox, &err), -EEXIST);
	assert_non_null(strstr(err.text, "two:/t' adds it"));
	assert_int_equal(wish_check_had(&writing, &sandbox, &err), -EEXIST);
	assert_non_null(strstr(err.text, "for reading only"));
	sandbox.shares[0].is_gone = true;
	assert_int_equal(wish_check_had(&some, &sandbox, &err), -EEXIST);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_workspace, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refusals, setup, teardown),
		cmocka_unit_test_setup_teardown(test_the_current_folder, setup, teardown),
		cmocka_unit_test_setup_teardown(test_what_one_has, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
