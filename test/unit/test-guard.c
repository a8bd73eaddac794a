/* What the server refuses to change, and what git may do all the same. */
#include "share/ops.h"

#include "unit.h"

#include "../lib/share-place.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

static const char config[] = "[core]\n\trepositoryformatversion = 0\n\tbare = false\n";
static const char hostile[] = "[core]\n\tfsmonitor = \"touch /tmp/owned\"\n";

static struct notes {
	char last[4096];
	unsigned count;
} notes;

static void on_note(void *owner, struct slice note)
{
	(void)owner;
	assert_true(note.len < sizeof(notes.last));
	memcpy(notes.last, note.ptr, note.len);
	notes.last[note.len] = '\0';
	notes.count++;
}

/* What the person has: a repository with a hook of their own. */
static int set_up_repository(void **state)
{
	static const char *const folders[] = {".git",      ".git/hooks", ".git/objects",
					      ".git/refs", ".vscode",    "sub"};
	int r = set_up(state);
	struct place *place = *state;

	for (size_t i = 0; i < array_len(folders); i++)
		assert_int_equal(mkdirat(place->dir, folders[i], 0755), 0);
	assert_int_equal(symlinkat("here", place->dir, "link"), 0);
	for (size_t i = 0; i < 2; i++) {
		autofd int dir = file_open_dir(place->dir, i == 0 ? ".git" : ".git/hooks");

		assert_int_equal(file_write_atomic(dir, i == 0 ? "config" : "pre-commit", 0644,
						   slice_text(i == 0 ? config : "exit 0\n"), NULL),
				 0);
	}
	notes = (struct notes){.count = 0};
	share_on_note(place->share, on_note, NULL);
	return r;
}

static uint64_t walk(struct client *client, const char *path)
{
	uint64_t node = ROOT;
	char copy[256];

	snprintf(copy, sizeof(copy), "%s", path);
	for (char *name = strtok(copy, "/"); name; name = strtok(NULL, "/"))
		node = look(client, node, name);
	return node;
}

static int make(struct client *client, const char *folder, const char *name, const char *content)
{
	uint64_t dir = walk(client, folder), node, handle;
	int r = client_create(client, dir, name, O_RDWR | O_EXCL, 0644, &node, &handle);

	return r < 0 ? r : client_write(client, node, handle, 0, slice_text(content));
}

static int change(struct client *client, const char *path, const char *content)
{
	return client_write(client, walk(client, path), 0, 0, slice_text(content));
}

static int remove_name(struct client *client, const char *folder, const char *name, bool is_folder)
{
	return client_ask(client, is_folder ? FUSE_RMDIR : FUSE_UNLINK, walk(client, folder),
			  client_name(name), NONE, NONE);
}

static int move(struct client *client, const char *from, const char *name, const char *into,
		const char *new_name)
{
	return client_rename(client, walk(client, from), name, walk(client, into), new_name, 0);
}

static int make_dir(struct client *client, const char *folder, const char *name)
{
	uint64_t node;

	return client_mkdir(client, walk(client, folder), name, &node);
}

static int make_link(struct client *client, const char *path, const char *folder, const char *name)
{
	struct fuse_link_in in = {.oldnodeid = walk(client, path)};

	return client_ask(client, FUSE_LINK, walk(client, folder), STRUCT(in), client_name(name), NONE);
}

static int make_symlink(struct client *client, const char *folder, const char *name)
{
	return client_ask(client, FUSE_SYMLINK, walk(client, folder), client_name(name),
			  client_name("../sub"), NONE);
}

static int set_attr(struct client *client, const char *path, uint32_t valid)
{
	struct fuse_setattr_in in = {.valid = valid, .mode = 0755};

	return client_ask(client, FUSE_SETATTR, walk(client, path), STRUCT(in), NONE, NONE);
}

/* ---- refused by every way there is ---- */

static void test_what_is_there(void **state)
{
	struct place *place = *state;
	struct client *client = &place->client;

	assert_int_equal(change(client, ".git/hooks/pre-commit", "evil"), -EACCES);
	assert_int_equal(set_attr(client, ".git/hooks/pre-commit", FATTR_SIZE), -EACCES);
	assert_int_equal(set_attr(client, ".git/hooks/pre-commit", FATTR_MODE), -EACCES);
	assert_int_equal(set_attr(client, ".git/hooks/pre-commit", FATTR_MTIME), -EACCES);
	assert_int_equal(remove_name(client, ".git/hooks", "pre-commit", false), -EACCES);
	assert_int_equal(move(client, ".git/hooks", "pre-commit", "", "x"), -EACCES);
	assert_int_equal(move(client, "", "file", ".git/hooks", "pre-commit"), -EACCES);
	assert_int_equal(client_rename(client, ROOT, "file", walk(client, ".git/hooks"), "pre-commit",
				       RENAME_EXCHANGE),
			 -EACCES);
	assert_int_equal(make_link(client, ".git/hooks/pre-commit", "", "x"), -EACCES);
	assert_int_equal(move(client, ".git", "hooks", "", "x"), -EACCES);
	assert_int_equal(move(client, "", ".git", "", "x"), -EACCES);
	assert_int_equal(client_rename(client, ROOT, "folder", ROOT, ".git", RENAME_EXCHANGE), -EACCES);
	assert_int_equal(change(client, ".git/config", hostile), -EACCES);
	assert_int_equal(move(client, "", ".vscode", "", "x"), -EACCES);
	assert_int_equal(remove_name(client, "", ".vscode", true), -EACCES);
	expect_content(place, ".git/hooks/pre-commit", "exit 0\n");
	expect_content(place, ".git/config", config);
}

static void test_what_is_absent(void **state)
{
	struct place *place = *state;
	struct client *client = &place->client;
	struct fuse_mknod_in node = {.mode = S_IFREG | 0755};

	assert_int_equal(make(client, ".git/hooks", "post-checkout", "evil"), -EACCES);
	assert_int_equal(client_ask(client, FUSE_MKNOD, walk(client, ".git/hooks"), STRUCT(node),
				    client_name("update"), NONE),
			 -EACCES);
	assert_int_equal(make_symlink(client, ".git/hooks", "update"), -EACCES);
	assert_int_equal(make_link(client, "file", ".git/hooks", "update"), -EACCES);
	assert_int_equal(move(client, "", "file", ".git/hooks", "update"), -EACCES);
	assert_int_equal(make_dir(client, "", ".claude"), -EACCES);
	assert_int_equal(make_symlink(client, "", ".claude"), -EACCES);
	assert_int_equal(move(client, "", "sub", "", ".claude"), -EACCES);
	assert_int_equal(make(client, "", ".envrc", "evil"), -EACCES);
	assert_int_equal(make(client, "", ".ENVRC", "evil"), -EACCES);
	assert_int_equal(make(client, ".vscode", "tasks.json", "{}"), -EACCES);
	assert_int_equal(make(client, ".git", "config.worktree", config), -EACCES);
	/* folders that would bring guarded ones along */
	assert_int_equal(make_dir(client, "sub", "workflows"), 0);
	assert_int_equal(move(client, "", "sub", "", ".github"), -EACCES);
	assert_int_equal(make_symlink(client, "", ".github"), -EACCES);
	assert_int_equal(make_dir(client, "", ".github"), 0);
	assert_int_equal(move(client, "sub", "workflows", ".github", "workflows"), -EACCES);
	assert_int_equal(make_dir(client, "", "new"), 0);
	assert_int_equal(make_dir(client, "new", "hooks"), 0);
	assert_int_equal(make(client, "new/hooks", "update", "evil"), 0);
	assert_int_equal(move(client, "", "new", "sub", ".git"), -EACCES);
	assert_int_equal(move(client, "", "new", "sub", ".GIT"), -EACCES);
	assert_int_equal(make_symlink(client, "sub", ".git"), -EACCES);
	/* and what is nobody's business */
	assert_int_equal(make_dir(client, "sub", ".vscode"), 0);
	assert_int_equal(make(client, "sub/.vscode", "settings.json", "{}"), 0);
	assert_int_equal(make(client, ".git", "index", "x"), 0);
}

static void test_notes(void **state)
{
	struct place *place = *state;
	struct client *client = &place->client;
	char name[32];

	assert_int_equal(make(client, "", ".envrc", ""), -EACCES);
	assert_string_equal(notes.last, "{\"event\":\"guard\",\"path\":\".envrc\",\"operation\":\"create\"}");
	assert_int_equal(make(client, "", ".envrc", ""), -EACCES);
	assert_int_equal(notes.count, 1);
	assert_int_equal(make(client, ".vscode", "a\"\n\\\033", ""), -EACCES);
	assert_string_equal(notes.last, "{\"event\":\"guard\",\"path\":\".vscode/"
					"a\\\"\\\\x0a\\\\\\\\x1b\",\"operation\":\"create\"}");
	for (int i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "x%d", i);
		assert_int_equal(make(client, ".vscode", name, ""), -EACCES);
	}
	assert_int_equal(notes.count, GUARD_NOTES_MAX);
}

/* ---- what git does ---- */

static void test_config(void **state)
{
	static const char more[] = "[core]\n\tbare = false\n[remote \"x\"]\n\turl = https://example.com/x\n";
	struct place *place = *state;
	struct client *client = &place->client;
	uint64_t git = walk(client, ".git"), node, handle;

	assert_int_equal(client_create(client, git, "config.lock", O_RDWR | O_EXCL, 0644, &node, &handle), 0);
	assert_int_equal(client_write(client, node, handle, 0, slice_text(more)), 0);
	assert_int_equal(move(client, ".git", "config.lock", ".git", "config"), 0);
	expect_content(place, ".git/config", more);
	/* Whoever has it open still, or knows its number, changes nothing. */
	assert_int_equal(client_write(client, node, handle, 0, slice_text(hostile)), -EACCES);
	expect_content(place, ".git/config", more);
	assert_int_equal(walk(client, ".git/config"), node);
	assert_int_equal(client_read(client, node, 0, 0, 4096), 0);
	assert_true(slice_is(client->body, more));
	assert_int_equal(faccessat(place->dir, ".git/config.lock", F_OK, 0), -1);
	assert_int_equal(set_attr(client, ".git/config", FATTR_MODE), 0);

	assert_int_equal(make(client, ".git", "config.lock", hostile), 0);
	assert_int_equal(move(client, ".git", "config.lock", ".git", "config"), -EACCES);
	assert_non_null(strstr(notes.last, "\"key\":\"core.fsmonitor\""));
	assert_int_equal(client_rename(client, git, "config.lock", git, "config", RENAME_EXCHANGE), -EACCES);
	expect_content(place, ".git/config", more);
	assert_int_equal(remove_name(client, ".git", "config", false), 0);
	assert_int_equal(client_rename(client, git, "config.lock", git, "config", RENAME_NOREPLACE), -EACCES);
	assert_int_equal(make_link(client, ".git/config.lock", ".git", "config"), -EACCES);
	assert_int_equal(make(client, ".git", "config", config), -EACCES);
}

static void test_new_repository(void **state)
{
	struct place *place = *state;
	struct client *client = &place->client;

	assert_int_equal(make_dir(client, "sub", ".git"), 0);
	assert_int_equal(make_dir(client, "sub/.git", "hooks"), 0);
	assert_int_equal(make(client, "sub/.git/hooks", "update.sample", "x"), 0);
	assert_int_equal(set_attr(client, "sub/.git/hooks/update.sample", FATTR_MODE), 0);
	assert_int_equal(move(client, "sub/.git/hooks", "update.sample", "sub/.git/hooks", "update"),
			 -EACCES);
	assert_int_equal(make(client, "sub/.git", "config.lock", config), 0);
	assert_int_equal(move(client, "sub/.git", "config.lock", "sub/.git", "config"), 0);
	assert_int_equal(make_dir(client, "sub/.git", "refs"), 0);
	assert_int_equal(make_dir(client, "sub/.git", "objects"), 0);
	/* What it checks out there is its own, but not what git itself would run. */
	assert_int_equal(make_dir(client, "sub", ".vscode"), 0);
	assert_int_equal(make(client, "sub/.vscode", "settings.json", "{}"), 0);
	assert_int_equal(make(client, "sub/.git/hooks", "update", "evil"), -EACCES);
	/* All of it may go again. */
	assert_int_equal(remove_name(client, "sub/.git/hooks", "update.sample", false), 0);
	assert_int_equal(remove_name(client, "sub/.git", "hooks", true), 0);
	assert_int_equal(remove_name(client, "sub/.git", "config", false), 0);
	assert_int_equal(remove_name(client, "sub/.git", "refs", true), 0);
	assert_int_equal(remove_name(client, "sub/.git", "objects", true), 0);
	assert_int_equal(remove_name(client, "sub", ".git", true), 0);
}

/* One of the host's stays guarded, also when its .git is taken away. */
static void test_repository_of_the_host(void **state)
{
	struct place *place = *state;
	struct client *client = &place->client;

	assert_int_equal(mkdirat(place->dir, "sub/.git", 0755), 0);
	assert_int_equal(make(client, "sub", ".envrc", "evil"), -EACCES);
	assert_int_equal(mkdirat(place->dir, "sub/.vscode", 0755), 0);
	assert_int_equal(make(client, "sub/.vscode", "tasks.json", "{}"), -EACCES);
	assert_int_equal(remove_name(client, "sub", ".git", true), -EACCES);
	assert_int_equal(unlinkat(place->dir, "sub/.vscode", AT_REMOVEDIR), 0);
	assert_int_equal(remove_name(client, "sub", ".git", true), 0);
}

static void test_planted_bare_repository(void **state)
{
	struct place *place = *state;
	struct client *client = &place->client;

	assert_int_equal(make(client, "sub", "HEAD", "ref: refs/heads/main\n"), 0);
	assert_int_equal(make(client, "sub", "config", hostile), 0);
	assert_int_equal(make_dir(client, "sub", "objects"), 0);
	assert_int_equal(make_dir(client, "sub", "refs"), -EACCES);
	assert_int_equal(make_dir(client, "sub", "other"), 0);
	assert_int_equal(move(client, "sub", "other", "sub", "refs"), -EACCES);
	assert_int_equal(make_symlink(client, "sub", "refs"), -EACCES);
	assert_int_equal(remove_name(client, "sub", "config", false), 0);
	assert_int_equal(make_dir(client, "sub", "hooks"), 0);
	assert_int_equal(make(client, "sub/hooks", "post-checkout", "evil"), 0);
	assert_int_equal(make_dir(client, "sub", "refs"), -EACCES);
	assert_int_equal(remove_name(client, "sub/hooks", "post-checkout", false), 0);
	assert_int_equal(make(client, "sub", "config", config), 0);
	assert_int_equal(make_dir(client, "sub", "refs"), 0);
	assert_int_equal(change(client, "sub/config", hostile), -EACCES);
	assert_int_equal(make(client, "sub/hooks", "post-checkout", "evil"), -EACCES);
	assert_int_equal(move(client, "sub", "objects", "sub", "away"), -EACCES);
	expect_content(place, "sub/config", config);
}

static void test_pointers(void **state)
{
	struct place *place = *state;
	struct client *client = &place->client;
	char text[256];
	uint64_t sub = walk(client, "sub"), node, handle;

	assert_int_equal(make_dir(client, ".git", "worktrees"), 0);
	assert_int_equal(make_dir(client, ".git/worktrees", "sub"), 0);
	assert_int_equal(make(client, ".git/worktrees/sub", "commondir", "../..\n"), 0);
	assert_int_equal(make(client, "folder", "commondir", "../../sub\n"), -EACCES);
	assert_int_equal(client_create(client, sub, ".git", O_RDWR | O_EXCL, 0644, &node, &handle), 0);
	assert_int_equal(client_write(client, node, handle, 0, slice_text("gitdir: /etc\n")), -EACCES);
	assert_int_equal(
		client_write(client, node, handle, 0, slice_text("gitdir: ../../x/.git/worktrees/y\n")),
		-EACCES);
	assert_int_equal(client_write(client, node, handle, 0, slice_text("gitdir: ../folder\n")), -EACCES);
	assert_int_equal(client_write(client, node, handle, 1, slice_text("gitdir: ../.git/worktrees/sub\n")),
			 -EACCES);
	snprintf(text, sizeof(text), "gitdir: %s/.git/worktrees/sub\n", place->path);
	assert_int_equal(client_write(client, node, handle, 0, slice_text(text)), 0);
	expect_content(place, "sub/.git", text);
	assert_int_equal(client_write(client, node, handle, 0, slice_text("gitdir: ../.git/modules/x\n")), 0);
	expect_content(place, "sub/.git", "gitdir: ../.git/modules/x\n");
	assert_int_equal(make(client, "", "pointer", "gitdir: /etc\n"), 0);
	assert_int_equal(move(client, "", "pointer", "sub", ".git"), -EACCES);
	assert_int_equal(remove_name(client, "sub", ".git", false), 0);
}

static void test_other_worktrees(void **state)
{
	struct place *place = *state;
	struct client *client = &place->client;

	assert_int_equal(mkdirat(place->dir, ".git/worktrees", 0755), 0);
	assert_int_equal(mkdirat(place->dir, ".git/worktrees/theirs", 0755), 0);
	{
		autofd int dir = file_open_dir(place->dir, ".git/worktrees/theirs");

		assert_int_equal(
			file_write_atomic(dir, "gitdir", 0644, slice_text("/elsewhere/.git\n"), NULL), 0);
		assert_int_equal(file_write_atomic(dir, "HEAD", 0644, slice_text("x"), NULL), 0);
	}
	assert_int_equal(remove_name(client, ".git/worktrees/theirs", "HEAD", false), -EACCES);
	assert_int_equal(remove_name(client, ".git/worktrees/theirs", "gitdir", false), -EACCES);
	assert_int_equal(change(client, ".git/worktrees/theirs/gitdir", "sub/.git"), -EACCES);
	assert_int_equal(move(client, "", "file", ".git/worktrees/theirs", "gitdir"), -EACCES);
}

/* ---- rules ---- */

static void test_rules(void **state)
{
	struct place *place = *state;
	struct client *client = &place->client;
	uint64_t node = walk(client, "file"), handle;

	assert_int_equal(client_open(client, FUSE_OPEN, node, O_RDWR, &handle), 0);
	assert_int_equal(client_write(client, node, handle, 0, slice_text("1")), 0);
	assert_int_equal(share_guard(place->share, slice_text("guard file")), 0);
	/* Who has it open, too. */
	assert_int_equal(client_write(client, node, handle, 0, slice_text("2")), -EACCES);
	assert_int_equal(share_guard(place->share, slice_text("allow .vscode")), 0);
	assert_int_equal(make(client, ".vscode", "tasks.json", "{}"), 0);
	assert_int_equal(share_guard(place->share, slice_text("reset")), 0);
	assert_int_equal(client_write(client, node, handle, 0, slice_text("3")), 0);
	assert_int_equal(change(client, ".vscode/tasks.json", "[]"), -EACCES);
	assert_int_equal(share_guard(place->share, slice_text("nonsense")), -EINVAL);
}

/* ---- files with other names ---- */

static void test_links_outside(void **state)
{
	struct place *place = *state;
	struct client *client = &place->client;
	char outside[80];

	snprintf(outside, sizeof(outside), "%s.outside", place->path);
	assert_int_equal(linkat(place->dir, "file", AT_FDCWD, outside, 0), 0);
	assert_int_equal(change(client, "file", "evil"), -EACCES);
	assert_non_null(strstr(notes.last, "hard link"));
	assert_int_equal(set_attr(client, "file", FATTR_SIZE), -EACCES);
	assert_int_equal(set_attr(client, "file", FATTR_MODE), -EACCES);
	/* One more name inside changes nothing; nor does taking one away. */
	assert_int_equal(make_link(client, "file", "sub", "x"), 0);
	assert_int_equal(change(client, "sub/x", "evil"), -EACCES);
	assert_int_equal(remove_name(client, "sub", "x", false), 0);
	assert_int_equal(change(client, "file", "evil"), -EACCES);
	expect_content(place, "file", "content");
	assert_int_equal(unlinkat(AT_FDCWD, outside, 0), 0);
	assert_int_equal(change(client, "file", "content"), 0);
}

static void test_links_inside(void **state)
{
	struct place *place = *state;
	struct client *client = &place->client;
	uint64_t node = walk(client, "file");

	assert_int_equal(linkat(place->dir, "file", place->dir, "sub/x", 0), 0);
	assert_int_equal(change(client, "file", "content"), 0);
	assert_int_equal(make_link(client, "file", "folder", "y"), 0);
	assert_int_equal(change(client, "folder/y", "content"), 0);
	/* A name that is guarded counts as one outside, whatever it was opened by. */
	assert_int_equal(linkat(place->dir, "file", place->dir, ".git/hooks/update", 0), 0);
	opened_close_writing(place->share);
	assert_int_equal(change(client, "file", "evil"), -EACCES);
	assert_int_equal(unlinkat(place->dir, "sub/x", 0), 0);
	assert_int_equal(remove_name(client, "folder", "y", false), 0);
	assert_int_equal(remove_name(client, "", "file", false), 0);
	assert_int_equal(client_write(client, node, 0, 0, slice_text("evil")), -EACCES);
	expect_content(place, ".git/hooks/update", "content");
}

/* The request waits, others go on. */
static void test_links_with_threads(void **state)
{
	struct place *place = *state;
	struct client *client = &place->client;
	struct fuse_write_in in = {.size = 4};
	struct fuse_in_header head = {.opcode = FUSE_WRITE, .nodeid = walk(client, "file"), .unique = 7};
	auto_buf struct buf message = {0}, reply = {0};
	struct fuse_out_header answer;

	assert_int_equal(linkat(place->dir, "file", place->dir, "sub/x", 0), 0);
	assert_int_equal(share_start_threads(place->share, 1), 0);
	head.len = sizeof(head) + sizeof(in) + 4;
	assert_int_equal(buf_append(&message, STRUCT(head)), 0);
	assert_int_equal(buf_append(&message, STRUCT(in)), 0);
	assert_int_equal(buf_append(&message, slice_text("CONT")), 0);
	assert_int_equal(share_handle(place->share, buf_slice(&message), &reply), SHARE_LATER);
	assert_int_equal(share_handle(place->share, buf_slice(&message), &reply), SHARE_LATER);
	assert_int_equal(reply.len, 0);
	for (int i = 0; i < 2; i++) {
		buf_clear(&reply);
		assert_int_equal(share_collect(place->share, true, &reply), 1);
		memcpy(&answer, buf_text(&reply), sizeof(answer));
		assert_int_equal(answer.unique, 7);
		assert_int_equal(answer.error, 0);
	}
	assert_int_equal(share_collect(place->share, true, &reply), 0);
	expect_content(place, "file", "CONTent");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_what_is_there, set_up_repository, tear_down),
		cmocka_unit_test_setup_teardown(test_what_is_absent, set_up_repository, tear_down),
		cmocka_unit_test_setup_teardown(test_notes, set_up_repository, tear_down),
		cmocka_unit_test_setup_teardown(test_config, set_up_repository, tear_down),
		cmocka_unit_test_setup_teardown(test_new_repository, set_up_repository, tear_down),
		cmocka_unit_test_setup_teardown(test_repository_of_the_host, set_up_repository, tear_down),
		cmocka_unit_test_setup_teardown(test_planted_bare_repository, set_up_repository, tear_down),
		cmocka_unit_test_setup_teardown(test_pointers, set_up_repository, tear_down),
		cmocka_unit_test_setup_teardown(test_other_worktrees, set_up_repository, tear_down),
		cmocka_unit_test_setup_teardown(test_rules, set_up_repository, tear_down),
		cmocka_unit_test_setup_teardown(test_links_outside, set_up_repository, tear_down),
		cmocka_unit_test_setup_teardown(test_links_inside, set_up_repository, tear_down),
		cmocka_unit_test_setup_teardown(test_links_with_threads, set_up_repository, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
