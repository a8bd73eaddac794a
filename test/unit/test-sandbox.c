#include "supervisor/sandbox.h"
#include "supervisor/stage.h"

#include "base/file.h"

#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static int setup(void **state)
{
	char home[] = "/tmp/sbx-test-XXXXXX";
	struct paths *paths = calloc(1, sizeof(*paths));

	assert_non_null(mkdtemp(home));
	setenv("SBX_HOME", home, 1);
	assert_int_equal(paths_open(paths, NULL), 0);
	*state = paths;
	return 0;
}

static int teardown(void **state)
{
	free(*state);
	return file_remove_tree(AT_FDCWD, getenv("SBX_HOME"), NULL);
}

static struct sandbox describe(const char *name)
{
	struct sandbox sandbox = {.agent = strdup("shell"),
				  .template = strdup("base"),
				  .workspace = strdup("/src/pro ject"),
				  .cpus = 2,
				  .memory_mib = 1024,
				  .disk_mib = 1024};

	snprintf(sandbox.name, sizeof(sandbox.name), "%s", name);
	return sandbox;
}

static void test_names(void **state)
{
	static const char *const good[] = {"a", "x1", "my-box", "0.5", "A.b-C"};
	static const char *const bad[] = {"",    "-a", ".a",  "..",      "a/b",     "a b",
					  "a_b", "ä",  "a\n", "../../x", "a\033[2J"};
	char longest[SANDBOX_NAME_MAX + 2];

	(void)state;
	for (size_t i = 0; i < array_len(good); i++)
		assert_true(sandbox_name_ok(good[i]));
	for (size_t i = 0; i < array_len(bad); i++)
		assert_false(sandbox_name_ok(bad[i]));
	memset(longest, 'a', sizeof(longest));
	longest[SANDBOX_NAME_MAX + 1] = '\0';
	assert_false(sandbox_name_ok(longest));
	longest[SANDBOX_NAME_MAX] = '\0';
	assert_true(sandbox_name_ok(longest));
}

static int create(const struct paths *paths, struct sandbox *sandbox, struct err *err)
{
	auto_stage struct stage stage = STAGE_NONE;
	int r = stage_open(paths, SHELF_SANDBOXES, sandbox, &stage, err);

	r = r < 0 ? r : stage_make_disk(&stage, sandbox->disk_mib, err);
	return r < 0 ? r : stage_publish(&stage, sandbox, err);
}

static void test_made_read_and_removed(void **state)
{
	const struct paths *paths = *state;
	auto_sandbox struct sandbox made = describe("box");
	auto_sandbox struct sandbox again = describe("box");
	auto_sandbox struct sandbox read = {0};
	struct err err;
	char **names;

	made.env = calloc(2, sizeof(char *));
	made.env[0] = strdup("A=b\nc \"d\"");
	assert_int_equal(create(paths, &made, NULL), 0);
	assert_int_equal(create(paths, &again, &err), -EEXIST);
	assert_int_equal(sandbox_load(paths, SHELF_SANDBOXES, "box", &read, NULL), 0);
	assert_string_equal(read.workspace, "/src/pro ject");
	assert_string_equal(read.env[0], "A=b\nc \"d\"");
	assert_null(read.env[1]);
	assert_string_equal(read.machine_id, made.machine_id);
	assert_int_equal(read.memory_mib, 1024);
	assert_int_equal(sandbox_names(paths, SHELF_SANDBOXES, &names, NULL), 0);
	assert_string_equal(names[0], "box");
	assert_null(names[1]);
	sandbox_names_free(names);
	assert_int_equal(sandbox_remove(paths, SHELF_SANDBOXES, "box", NULL), 0);
	assert_int_equal(sandbox_remove(paths, SHELF_SANDBOXES, "box", &err), -ENOENT);
	assert_int_equal(sandbox_load(paths, SHELF_SANDBOXES, "../sandboxes", &read, &err), -EINVAL);
}

static void add(struct sandbox *sandbox, const char *source, const char *target, bool is_read_only)
{
	struct sandbox_share share = {.source = (char *)(uintptr_t)source,
				      .target = (char *)(uintptr_t)target,
				      .is_read_only = is_read_only};

	assert_int_equal(sandbox_add_share(sandbox, &share, NULL), 0);
}

static void test_shares_are_kept(void **state)
{
	const struct paths *paths = *state;
	auto_sandbox struct sandbox made = describe("box"), read = {0};

	add(&made, "/src/pro ject", "/src/pro ject", false);
	add(&made, "/home/me/.codex", "/home/agent/.codex", true);
	made.shares[0].is_gone = true;
	made.guard = calloc(2, sizeof(char *));
	made.guard[0] = strdup("allow .vscode/**");
	assert_int_equal(create(paths, &made, NULL), 0);
	assert_int_equal(sandbox_load(paths, SHELF_SANDBOXES, "box", &read, NULL), 0);
	assert_int_equal(read.n_shares, 2);
	assert_string_equal(read.shares[0].source, "/home/me/.codex");
	assert_string_equal(read.shares[0].target, "/home/agent/.codex");
	assert_int_equal(read.shares[0].port, 1);
	assert_true(read.shares[0].is_read_only && read.shares[0].is_gone && !read.shares[0].is_file);
	assert_string_equal(read.shares[1].source, "/src/pro ject");
	assert_int_equal(read.shares[1].port, 0);
	assert_false(read.shares[1].is_read_only || read.shares[1].is_gone);
	assert_string_equal(read.guard[0], "allow .vscode/**");
	assert_null(read.guard[1]);
}

static void test_shares_in_order(void **state)
{
	struct sandbox_share again = {.source = (char[]){"/x"}, .target = (char[]){"/a"}};
	auto_sandbox struct sandbox sandbox = describe("box");
	char path[8];
	struct err err;

	(void)state;
	add(&sandbox, "/inner", "/a/b", false);
	add(&sandbox, "/other", "/a-b", false);
	add(&sandbox, "/outer", "/a", false);
	assert_string_equal(sandbox.shares[0].target, "/a");
	assert_ptr_equal(sandbox_find_share(&sandbox, "/inner"), sandbox_find_share(&sandbox, "/a/b"));
	assert_null(sandbox_find_share(&sandbox, "/a/"));
	assert_int_equal(sandbox_add_share(&sandbox, &again, &err), -EEXIST);
	/* Its place is free at once, its port when the guest has been told. */
	sandbox_find_share(&sandbox, "/a")->is_gone = true;
	assert_null(sandbox_find_share(&sandbox, "/a"));
	assert_int_equal(sandbox_add_share(&sandbox, &again, &err), 0);
	assert_int_equal(sandbox_find_share(&sandbox, "/a")->port, 3);
	sandbox_drop_share(&sandbox, sandbox_find_share(&sandbox, "/a/b"));
	add(&sandbox, "/more", "/more", false);
	assert_int_equal(sandbox_find_share(&sandbox, "/more")->port, 0);
	for (int i = 4; i < ENGINE_SHARES; i++) {
		snprintf(path, sizeof(path), "/f%d", i);
		add(&sandbox, path, path, false);
	}
	again.target = again.source;
	assert_int_equal(sandbox_add_share(&sandbox, &again, &err), -E2BIG);
}

#define OLD_FIELDS                                                                                     \
	"\"version\": 1, \"name\": \"box\", \"agent\": \"shell\", \"workspace\": null, \"template\": " \
	"\"base\", "                                                                                   \
	"\"cpus\": 1, \"memory_mib\": 1, \"disk_mib\": 1, \"env\": [], "                               \
	"\"machine_id\": \"0123456789abcdef0123456789abcdef\", \"created\": 1"
#define SHARE(port)                                                \
	"{\"source\": \"/s\", \"target\": \"/t\", \"port\": " port \
	", \"read_only\": false, \"file\": false, "                \
	"\"gone\": false}"

static void test_shares_read_strictly(void **state)
{
	static const struct {
		const char *text;
		bool is_good;
	} cases[] = {
		{"{" OLD_FIELDS "}", true},
		{"{" OLD_FIELDS ", \"shares\": [], \"guard\": []}", true},
		{"{" OLD_FIELDS ", \"shares\": [" SHARE("15") "]}", true},
		{"{" OLD_FIELDS ", \"shares\": [" SHARE("16") "]}", false},
		{"{" OLD_FIELDS ", \"shares\": [" SHARE("-1") "]}", false},
		{"{" OLD_FIELDS ", \"shares\": [" SHARE("1") ", " SHARE("1") "]}", false},
		{"{" OLD_FIELDS ", \"shares\": {}}", false},
		{"{" OLD_FIELDS ", \"shares\": [1]}", false},
		{"{" OLD_FIELDS ", \"shares\": [{\"source\": \"/s\"}]}", false},
		{"{" OLD_FIELDS ", \"guard\": [1]}", false},
	};
	const struct paths *paths = *state;
	auto_sandbox struct sandbox made = describe("box");
	autofd int dir = -1;

	assert_int_equal(create(paths, &made, NULL), 0);
	dir = sandbox_open_dir(paths, SHELF_SANDBOXES, "box", NULL);
	for (size_t i = 0; i < array_len(cases); i++) {
		auto_sandbox struct sandbox read = {0};

		assert_int_equal(
			file_write_atomic(dir, "sandbox.json", 0600, slice_text(cases[i].text), NULL), 0);
		if (cases[i].is_good != (sandbox_load(paths, SHELF_SANDBOXES, "box", &read, NULL) == 0))
			fail_msg("case %zu", i);
	}
}

static void test_a_locked_one_stays(void **state)
{
	const struct paths *paths = *state;
	auto_sandbox struct sandbox made = describe("box");
	autofd int dir = -1, lock = -1;
	struct err err;

	assert_int_equal(create(paths, &made, NULL), 0);
	dir = sandbox_open_dir(paths, SHELF_SANDBOXES, "box", NULL);
	lock = sandbox_lock(dir, 0);
	assert_true(lock >= 0);
	assert_int_equal(sandbox_lock(dir, 0), -EBUSY);
	assert_int_equal(sandbox_remove(paths, SHELF_SANDBOXES, "box", &err), -EBUSY);
	close(steal_fd(&lock));
	assert_int_equal(sandbox_remove(paths, SHELF_SANDBOXES, "box", NULL), 0);
}

static void test_left_overs_go(void **state)
{
	const struct paths *paths = *state;
	char path[PATH_ROOM_BYTES + 64];
	char **names;

	/* 2^22 is above every process id. */
	snprintf(path, sizeof(path), "%s/sandboxes/.new-4194305-box", paths->data);
	assert_int_equal(file_make_dirs(path, NULL), 0);
	snprintf(path, sizeof(path), "%s/sandboxes/.gone-1-box", paths->data);
	assert_int_equal(file_make_dirs(path, NULL), 0);
	snprintf(path, sizeof(path), "%s/sandboxes/.new-%d-box", paths->data, getpid());
	assert_int_equal(file_make_dirs(path, NULL), 0);
	assert_int_equal(sandbox_names(paths, SHELF_SANDBOXES, &names, NULL), 0);
	assert_null(names[0]);
	sandbox_names_free(names);
	assert_int_equal(access(path, F_OK), 0);
	snprintf(path, sizeof(path), "%s/sandboxes/.gone-1-box", paths->data);
	assert_int_equal(access(path, F_OK), -1);
	snprintf(path, sizeof(path), "%s/sandboxes/.new-4194305-box", paths->data);
	assert_int_equal(access(path, F_OK), -1);
}

static void test_damage_is_named(void **state)
{
	static const char *const texts[] = {
		"",
		"{}",
		"[]",
		"{\"version\": 1}",
		"not json",
		"{\"version\": 1, \"name\": \"other\", \"agent\": \"shell\", \"workspace\": null, "
		"\"template\": \"base\", \"cpus\": 1, \"memory_mib\": 1, \"disk_mib\": 1, \"env\": [], "
		"\"machine_id\": \"0123456789abcdef0123456789abcdef\", \"created\": 1}"};
	const struct paths *paths = *state;
	auto_sandbox struct sandbox made = describe("box");
	autofd int dir = -1;

	assert_int_equal(create(paths, &made, NULL), 0);
	dir = sandbox_open_dir(paths, SHELF_SANDBOXES, "box", NULL);
	for (size_t i = 0; i < array_len(texts); i++) {
		auto_sandbox struct sandbox read = {0};
		struct err err = {.text = ""};

		assert_int_equal(file_write_atomic(dir, "sandbox.json", 0600, slice_text(texts[i]), NULL), 0);
		assert_true(sandbox_load(paths, SHELF_SANDBOXES, "box", &read, &err) < 0);
		assert_non_null(strstr(err.text, "sbx rm box"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test_setup_teardown(test_made_read_and_removed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_shares_are_kept, setup, teardown),
		cmocka_unit_test(test_shares_in_order),
		cmocka_unit_test_setup_teardown(test_shares_read_strictly, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_locked_one_stays, setup, teardown),
		cmocka_unit_test_setup_teardown(test_left_overs_go, setup, teardown),
		cmocka_unit_test_setup_teardown(test_damage_is_named, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
