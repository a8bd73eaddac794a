#include "cli/folder.h"

#include "base/file.h"

#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static char root[64];
static struct paths paths;

/* A path below the test's own folder; eight can be used at once. */
static const char *in(const char *name)
{
	static char rooms[8][FOLDER_PATH_BYTES];
	static unsigned next;
	char *room = rooms[next++ % array_len(rooms)];

	snprintf(room, FOLDER_PATH_BYTES, "%s%s", root, name);
	return room;
}

/* /tmp/…/home with projects in it, and a state folder beside it. */
static int setup(void **state)
{
	(void)state;
	strcpy(root, "/tmp/sbx-test-XXXXXX");
	assert_non_null(mkdtemp(root));
	assert_int_equal(mkdir(in("/home"), 0755), 0);
	setenv("HOME", in("/home"), 1);
	setenv("SBX_HOME", in("/state"), 1);
	assert_int_equal(paths_open(&paths, NULL), 0);
	assert_int_equal(file_make_dirs(in("/home/src/repo/inner"), NULL), 0);
	assert_int_equal(file_make_dirs(in("/home/src/repo-evil"), NULL), 0);
	assert_int_equal(mkdir(in("/home/with:colon"), 0755), 0);
	close(open(in("/home/file"), O_CREAT | O_WRONLY, 0600));
	return chdir(in("/home/src"));
}

static int teardown(void **state)
{
	(void)state;
	assert_int_equal(chdir("/"), 0);
	return file_remove_tree(AT_FDCWD, root, NULL);
}

static void parses(const char *text, bool may_have_target, const char *path, const char *target,
		   bool is_read_only)
{
	struct folder_words words;
	struct err err = {.text = ""};

	if (folder_parse(text, may_have_target, &words, &err) < 0)
		fail_msg("'%s': %s", text, err.text);
	assert_string_equal(words.path, path);
	assert_string_equal(words.target, target);
	assert_int_equal(words.is_read_only, is_read_only);
}

static void parses_not(const char *text, bool may_have_target, const char *part)
{
	struct folder_words words;
	struct err err = {.text = ""};

	assert_true(folder_parse(text, may_have_target, &words, &err) < 0);
	if (!strstr(err.text, part))
		fail_msg("'%s' is not in '%s'", part, err.text);
}

static void test_words(void **state)
{
	char longest[FOLDER_PATH_BYTES + 1];

	(void)state;
	parses("repo", false, "repo", "", false);
	parses("repo:ro", false, "repo", "", true);
	parses("repo:rw", false, "repo", "", false);
	parses("../with:colon", false, "../with:colon", "", false);
	parses("../with:colon:ro", false, "../with:colon", "", true);
	parses("repo:/t", true, "repo", "/t", false);
	parses("repo:/t:ro", true, "repo", "/t", true);
	parses("/a:b:/t:ro", true, "/a:b", "/t", true);
	parses("repo:t", true, "repo:t", "", false);
	parses(":ro", false, ":ro", "", false);
	parses_not("", true, "empty");
	parses_not("re\npo", true, "control characters");
	parses_not("re\xffpo", true, "UTF-8");
	parses_not("repo:/t", false, "--mount repo:/t");
	memset(longest, 'a', sizeof(longest));
	longest[FOLDER_PATH_BYTES] = '\0';
	parses_not(longest, true, "too long");
}

/* Who can make a folder there could else have another one shared than the one that was meant. */
static void test_words_with_two_meanings(void **state)
{
	(void)state;
	assert_int_equal(mkdir("repo:ro", 0755), 0);
	parses_not("repo:ro", false, "both 'repo:ro' and 'repo' are there");
	parses("repo:ro:rw", false, "repo:ro", "", false);
	parses("repo/:ro", false, "repo/", "", true);
	assert_int_equal(rmdir("repo"), -1);
	assert_int_equal(rename("repo", "other"), 0);
	parses("repo:ro", false, "repo:ro", "", false);
}

static void test_clean(void **state)
{
	static const struct {
		const char *path, *clean;
	} cases[] = {{"/", "/"},        {"/a/b", "/a/b"},   {"/a//b/", "/a/b"},   {"/a/./b/.", "/a/b"},
		     {"/a/../b", "/b"}, {"/../../a", "/a"}, {"/a/..", "/"},       {"b", "/base/b"},
		     {".", "/base"},    {"../../..", "/"},  {"..b", "/base/..b"}, {"./...", "/base/..."}};
	char clean[FOLDER_PATH_BYTES], longest[FOLDER_PATH_BYTES + 1];

	(void)state;
	for (size_t i = 0; i < array_len(cases); i++) {
		assert_int_equal(folder_clean(cases[i].path, "/base", clean), 0);
		assert_string_equal(clean, cases[i].clean);
	}
	memset(longest, 'a', sizeof(longest));
	longest[0] = '/';
	longest[FOLDER_PATH_BYTES] = '\0';
	assert_int_equal(folder_clean(longest, "/", clean), -ENAMETOOLONG);
	longest[FOLDER_PATH_BYTES - 1] = '\0';
	assert_int_equal(folder_clean(longest, "/", clean), 0);
	assert_string_equal(clean, longest);
}

static void test_has(void **state)
{
	(void)state;
	assert_true(folder_has("/src/repo", "/src/repo"));
	assert_true(folder_has("/src/repo", "/src/repo/x"));
	assert_false(folder_has("/src/repo", "/src/repo-evil"));
	assert_false(folder_has("/src/repo", "/src"));
	assert_true(folder_has("/", "/src"));
}

static void test_targets(void **state)
{
	static const char *const good[] = {
		"/src",       "/home/me",        "/home/agent/x", "/home/agent/workspace",
		"/tmp/x",     "/root/x",         "/opt/x",        "/srv/x",
		"/var/lib/x", "/usr/src/x",      "/usrx",         "/var/www/x",
		"/mnt/x/y",   "/usr/local/src/x"};
	static const char *const bad[] = {"/",
					  "/usr",
					  "/usr/bin",
					  "/usr/local/x/y",
					  "/usr/src",
					  "/etc",
					  "/etc/ssl/x",
					  "/home",
					  "/home/agent",
					  "/root",
					  "/tmp",
					  "/run/sbx/x",
					  "/var/run/x",
					  "/proc/self",
					  "/sys",
					  "/dev/shm",
					  "/var",
					  "/var/lib",
					  "/var/lib/docker",
					  "/var/lib/docker/x",
					  "/var/lib/containerd",
					  "/lib64/x",
					  "/bin"};
	struct err err;

	(void)state;
	for (size_t i = 0; i < array_len(good); i++)
		if (folder_check_target(good[i], &err) < 0)
			fail_msg("'%s': %s", good[i], err.text);
	for (size_t i = 0; i < array_len(bad); i++)
		if (folder_check_target(bad[i], &err) == 0)
			fail_msg("'%s'", bad[i]);
}

static void test_system(void **state)
{
	static const char *const bad[] = {
		"/",    "/etc/x/y", "/usr",  "/usr/lib", "/var/lib", "/proc/1/root", "/run/user/1000",
		"/bin", "/root",    "/home", "/mnt"};
	static const char *const good[] = {"/etcetera",    "/usr/src/x", "/var/www/x", "/root/x", "/home/me",
					   "/usr/local/x", "/mnt/x",     "/opt/x",     "/data",   "/binary"};

	(void)state;
	for (size_t i = 0; i < array_len(bad); i++)
		assert_true(folder_is_system(bad[i]));
	for (size_t i = 0; i < array_len(good); i++)
		assert_false(folder_is_system(good[i]));
}

static struct folder_words words_of(const char *path, bool is_read_only)
{
	struct folder_words words = {.is_read_only = is_read_only};

	snprintf(words.path, sizeof(words.path), "%s", path);
	return words;
}

static void opens(const char *path, bool is_read_only, const char *source)
{
	const struct folder_words words = words_of(path, is_read_only);
	struct err err = {.text = ""};
	struct folder folder;
	struct stat named, opened;

	if (folder_open(&words, &paths, false, &folder, &err) < 0)
		fail_msg("'%s': %s", path, err.text);
	assert_string_equal(folder.source, source);
	assert_string_equal(folder.target, source);
	assert_int_equal(folder.is_read_only, is_read_only);
	assert_int_equal(stat(source, &named), 0);
	assert_int_equal(fstat(folder.fd, &opened), 0);
	assert_true(named.st_ino == opened.st_ino && named.st_dev == opened.st_dev);
	assert_int_equal(folder.is_file, S_ISREG(named.st_mode));
	assert_true(fcntl(folder.fd, F_GETFL) & O_PATH);
	folder_close(&folder);
}

static void opens_not(const char *path, bool is_read_only, bool allows_home, const char *part)
{
	const struct folder_words words = words_of(path, is_read_only);
	struct err err = {.text = ""};
	struct folder folder;

	if (folder_open(&words, &paths, allows_home, &folder, &err) == 0)
		fail_msg("'%s' was opened", path);
	if (!strstr(err.text, part))
		fail_msg("'%s' is not in '%s'", part, err.text);
}

static void test_folders(void **state)
{
	(void)state;
	opens("repo", false, in("/home/src/repo"));
	opens(".", true, in("/home/src"));
	opens("./repo/../repo//inner/", false, in("/home/src/repo/inner"));
	opens("../file", true, in("/home/file"));
	assert_int_equal(symlink(in("/home/src/repo"), "link"), 0);
	opens("link", false, in("/home/src/repo"));
	opens_not("none", false, false, "no folder 'none'");
	opens_not("../file/x", false, false, "no folder");
	opens_not("../file", false, false, "put ':ro' behind it");
	assert_int_equal(mkfifo("fifo", 0600), 0);
	opens_not("fifo", true, false, "neither a folder nor a file");
	assert_int_equal(mkdir("new\nline", 0700), 0);
	assert_int_equal(symlink("new\nline", "harmless"), 0);
	opens_not("harmless", true, false, "control characters");
	assert_int_equal(mkdir("gone", 0700), 0);
	assert_int_equal(chdir("gone"), 0);
	assert_int_equal(rmdir(in("/home/src/gone")), 0);
	opens_not(".", true, false, "no folder");
}

static void test_places_of_the_system(void **state)
{
	static const char *const bad[] = {"/",        "/proc/self", "/sys/kernel", "/dev/shm",      "/etc",
					  "/etc/ssl", "/usr",       "/usr/bin",    "/usr/local",    "/var",
					  "/var/lib", "/opt",       "/bin",        "/usr/../usr/.", "/srv",
					  "/mnt",     "/var/cache"};

	(void)state;
	for (size_t i = 0; i < array_len(bad); i++)
		if (access(bad[i], F_OK) == 0)
			opens_not(bad[i], true, true, "cannot be shared");
	opens_not("/tmp", true, true, "cannot be shared");
	opens_not("/proc/self/root", true, true, "cannot be shared");
	assert_int_equal(symlink("/etc", "etc"), 0);
	opens_not("etc", true, false, "'/etc' cannot be shared");
	opens_not("/dev/null", true, false, "neither");
}

static void test_home(void **state)
{
	struct folder_words words = words_of("..", false);
	struct folder folder;

	(void)state;
	opens_not("..", false, false, "--allow-home");
	opens_not("../..", false, true, "your home folder lies in it");
	assert_int_equal(folder_open(&words, &paths, true, &folder, NULL), 0);
	assert_string_equal(folder.source, in("/home"));
	folder_close(&folder);
	/* Under another name it is the same one. */
	assert_int_equal(symlink(in("/home"), in("/alias")), 0);
	setenv("HOME", in("/alias"), 1);
	opens_not("..", false, false, "--allow-home");
}

static void test_own_state(void **state)
{
	(void)state;
	opens_not("../../state", false, true, "sbx keeps its state in");
	opens_not("../../state/data", false, true, "sbx keeps its state in");
	assert_int_equal(file_make_dirs(in("/state/data/sandboxes/x"), NULL), 0);
	opens_not("../../state/data/sandboxes/x", false, true, "part of the state");
	assert_int_equal(symlink(in("/state/run"), "link"), 0);
	opens_not("link", false, true, "sbx keeps its state in");
	/* A shelf may lie elsewhere by a link of the user's. */
	assert_int_equal(mkdir("shelf", 0700), 0);
	assert_int_equal(symlink(in("/home/src/shelf"), in("/state/data/templates")), 0);
	opens_not("shelf", false, true, "sbx keeps its state in");
	assert_int_equal(mkdir("shelf/base", 0700), 0);
	opens_not("shelf/base", false, true, "part of the state");
	opens_not(".", false, true, "set SBX_HOME");
	/* The usual places lie in the home folder. */
	unsetenv("SBX_HOME");
	assert_int_equal(paths_open(&paths, NULL), 0);
	opens_not("..", false, true, "set SBX_HOME");
	opens("repo", false, in("/home/src/repo"));
}

struct ask {
	const char *path, *target;
	bool is_read_only;
};

static void together(struct ask first, struct ask second, const char *part)
{
	const struct ask asks[] = {first, second};
	struct folder pair[2];
	struct err err = {.text = ""};
	int r;

	for (size_t i = 0; i < 2; i++) {
		struct folder_words words = words_of(asks[i].path, asks[i].is_read_only);

		strcpy(words.target, asks[i].target);
		assert_int_equal(folder_open(&words, &paths, false, &pair[i], NULL), 0);
	}
	r = folder_check_all(pair, 2, &err);
	if ((r < 0) != (part != NULL) || (part && !strstr(err.text, part)))
		fail_msg("%s, %s: '%s'", first.path, second.path, err.text);
	folder_close(&pair[0]);
	folder_close(&pair[1]);
}

static void test_together(void **state)
{
	const struct ask repo = {"repo", "", false}, repo_elsewhere = {"repo", "/t", true};
	const struct ask repo_read = {"repo", "", true}, inner = {"repo/inner", "", false};
	const struct ask inner_read = {"repo/inner", "/t", true};

	(void)state;
	together(repo, (struct ask){"repo-evil", "", true}, NULL);
	together(repo_read, inner, NULL);
	together(repo, inner, NULL);
	together(repo_read, inner_read, NULL);
	together((struct ask){"repo", "/t/x", false}, (struct ask){"repo-evil", "/t//x/", false},
		 "both be at '/t/x'");
	together(repo, inner_read, "cannot be read-only");
	together(inner_read, repo, "cannot be read-only");
	together(repo, repo_elsewhere, "cannot be read-only");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_words, setup, teardown),
		cmocka_unit_test_setup_teardown(test_words_with_two_meanings, setup, teardown),
		cmocka_unit_test(test_clean),
		cmocka_unit_test(test_has),
		cmocka_unit_test(test_targets),
		cmocka_unit_test(test_system),
		cmocka_unit_test_setup_teardown(test_folders, setup, teardown),
		cmocka_unit_test_setup_teardown(test_places_of_the_system, setup, teardown),
		cmocka_unit_test_setup_teardown(test_home, setup, teardown),
		cmocka_unit_test_setup_teardown(test_own_state, setup, teardown),
		cmocka_unit_test_setup_teardown(test_together, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
