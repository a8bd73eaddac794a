#include "cli/shares.h"

#include "base/file.h"

#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static char root[64];
static struct paths paths;

static int setup(void **state)
{
	(void)state;
	strcpy(root, "/tmp/sbx-test-XXXXXX");
	assert_non_null(mkdtemp(root));
	setenv("SBX_HOME", root, 1);
	assert_int_equal(paths_open(&paths, NULL), 0);
	/* The folders that are shared must not hold the state. */
	strcpy(root, "/tmp/sbx-test-XXXXXX");
	assert_non_null(mkdtemp(root));
	assert_int_equal(chdir(root), 0);
	assert_int_equal(file_make_dirs("a/inner", NULL), 0);
	assert_int_equal(mkdir("b", 0755), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	assert_int_equal(chdir("/"), 0);
	(void)file_remove_tree(AT_FDCWD, getenv("SBX_HOME"), NULL);
	return file_remove_tree(AT_FDCWD, root, NULL);
}

static void add(struct sandbox *sandbox, const char *name, const char *target, bool is_read_only)
{
	char source[128];
	struct sandbox_share share = {.source = source,
				      .target = (char *)(uintptr_t)(target ? target : source),
				      .is_read_only = is_read_only};

	strcpy(sandbox->name, "box");
	snprintf(source, sizeof(source), "%s/%s", root, name);
	assert_int_equal(sandbox_add_share(sandbox, &share, NULL), 0);
}

static bool leads_to(int fd, const char *name)
{
	struct stat opened, named;

	return fstat(fd, &opened) == 0 && stat(name, &named) == 0 && opened.st_ino == named.st_ino;
}

static void opens_not(const struct sandbox *sandbox, const char *part)
{
	auto_shares struct shares_files files = SHARES_NO_FILES;
	struct err err = {.text = ""};

	assert_true(shares_open(&paths, sandbox, &files, &err) < 0);
	if (!strstr(err.text, part))
		fail_msg("'%s' is not in '%s'", part, err.text);
	for (size_t i = 0; i < ENGINE_SHARES; i++)
		assert_int_equal(files.fds[i], -1);
}

static void test_each_at_its_port(void **state)
{
	auto_sandbox struct sandbox sandbox = {0};
	auto_shares struct shares_files files = SHARES_NO_FILES;

	(void)state;
	add(&sandbox, "b", "/t", true);
	add(&sandbox, "none", NULL, false);
	add(&sandbox, "a", NULL, false);
	sandbox_find_share(&sandbox, "/t")->port = 7;
	sandbox.shares[2].is_gone = true; /* by order of their targets */
	assert_int_equal(shares_open(&paths, &sandbox, &files, NULL), 0);
	for (unsigned i = 0; i < ENGINE_SHARES; i++)
		assert_int_equal(files.fds[i] >= 0, i == 7 || i == 2);
	assert_true(leads_to(files.fds[7], "b"));
	assert_true(leads_to(files.fds[2], "a"));
}

static void test_what_is_gone(void **state)
{
	auto_sandbox struct sandbox sandbox = {0};

	(void)state;
	add(&sandbox, "a", NULL, false);
	add(&sandbox, "b", NULL, false);
	assert_int_equal(rmdir("b"), 0);
	opens_not(&sandbox, "/b' of sandbox 'box' is not there");
	close(open("b", O_CREAT | O_WRONLY, 0600));
	opens_not(&sandbox, "put ':ro' behind it");
	sandbox.shares[1].is_read_only = true;
	opens_not(&sandbox, "/b' of sandbox 'box' is not what it was");
}

/* A sandbox that may change a folder may change what lies in it to lead anywhere. */
static void test_what_leads_elsewhere(void **state)
{
	auto_sandbox struct sandbox sandbox = {0};

	(void)state;
	add(&sandbox, "a", NULL, false);
	add(&sandbox, "a/inner", NULL, false);
	assert_int_equal(rmdir("a/inner"), 0);
	assert_int_equal(symlink("../b", "a/inner"), 0);
	opens_not(&sandbox, "/a/inner' of sandbox 'box' is not what it was");
}

static void test_all_are_judged_again(void **state)
{
	auto_sandbox struct sandbox sandbox = {0};

	(void)state;
	add(&sandbox, "a", "/x", false);
	add(&sandbox, "a/inner", "/y", true);
	opens_not(&sandbox, "cannot be read-only");
	sandbox.shares[1].is_read_only = false;
	free(sandbox.shares[1].target);
	sandbox.shares[1].target = strdup("/etc");
	opens_not(&sandbox, "nothing can be put at '/etc'");
	free(sandbox.shares[1].source);
	sandbox.shares[1].source = strdup(paths.data);
	opens_not(&sandbox, "sbx keeps its state");
}

static void adds(const struct sandbox *sandbox, const char *name, const char *target, bool is_read_only,
		 const char *part)
{
	struct folder_words words = {.is_read_only = is_read_only};
	struct err err = {.text = ""};
	struct folder more;
	int r;

	snprintf(words.path, sizeof(words.path), "%s", name);
	snprintf(words.target, sizeof(words.target), "%s", target);
	assert_int_equal(folder_open(&words, &paths, false, &more, NULL), 0);
	r = shares_check_more(&paths, sandbox, &more, &err);
	folder_close(&more);
	if ((r < 0) != (part != NULL) || (part && !strstr(err.text, part)))
		fail_msg("%s at %s: '%s'", name, target, err.text);
}

static void test_one_more(void **state)
{
	auto_sandbox struct sandbox sandbox = {0};

	(void)state;
	add(&sandbox, "a", "/x/y", false);
	adds(&sandbox, "b", "", true, NULL);
	adds(&sandbox, "b", "/x/y/z", true, NULL);
	adds(&sandbox, "b", "/x/y", false, "both be at");
	adds(&sandbox, "b", "/x", false, "'/x' would hide '/x/y'");
	adds(&sandbox, "a/inner", "", true, "cannot be read-only");
	sandbox.shares[0].is_gone = true;
	adds(&sandbox, "b", "/x", false, NULL);
	adds(&sandbox, "a/inner", "", true, NULL);
}

static void test_working_folder(void **state)
{
	auto_sandbox struct sandbox sandbox = {0};

	(void)state;
	add(&sandbox, "a", "/x", false);
	assert_null(shares_working_folder(&sandbox));
	sandbox.workspace = strdup("/x");
	assert_null(shares_working_folder(&sandbox));
	free(sandbox.workspace);
	sandbox.workspace = strdup(sandbox.shares[0].source);
	assert_string_equal(shares_working_folder(&sandbox), "/x");
	sandbox.shares[0].is_gone = true;
	assert_null(shares_working_folder(&sandbox));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_each_at_its_port, setup, teardown),
		cmocka_unit_test_setup_teardown(test_what_is_gone, setup, teardown),
		cmocka_unit_test_setup_teardown(test_what_leads_elsewhere, setup, teardown),
		cmocka_unit_test_setup_teardown(test_all_are_judged_again, setup, teardown),
		cmocka_unit_test_setup_teardown(test_one_more, setup, teardown),
		cmocka_unit_test_setup_teardown(test_working_folder, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
