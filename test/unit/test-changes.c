/* What the guest has changed: as a list, and as a server keeps it. */
#include "share/changes.h"

#include "share/state.h"

#include "unit.h"

#include "../lib/share-place.h"

#include <errno.h>
#include <jansson.h>

static void expect(const struct changes *changes, const char *path, int wanted)
{
	enum change change;
	bool is_known = changes_find(changes, path, &change);

	assert_int_equal(is_known ? (int)change : -1, wanted);
}

static void test_what_follows_what(void **state)
{
	struct changes *changes;

	(void)state;
	assert_int_equal(changes_new(&changes), 0);
	changes_created(changes, "made");
	changes_modified(changes, "made");
	expect(changes, "made", CHANGE_CREATED);
	changes_deleted(changes, "made");
	expect(changes, "made", -1);
	changes_modified(changes, "old");
	expect(changes, "old", CHANGE_MODIFIED);
	changes_deleted(changes, "old");
	expect(changes, "old", CHANGE_DELETED);
	changes_created(changes, "old");
	expect(changes, "old", CHANGE_MODIFIED);
	changes_deleted(changes, "gone");
	changes_deleted(changes, "gone");
	expect(changes, "gone", CHANGE_DELETED);
	assert_int_equal(changes_count(changes), 2);
	changes_free(changes);
}

static void test_moved_folder(void **state)
{
	struct changes *changes;

	(void)state;
	assert_int_equal(changes_new(&changes), 0);
	changes_created(changes, "a/made");
	changes_modified(changes, "a/b/modified");
	changes_deleted(changes, "a/lost");
	changes_created(changes, "ab/other");
	changes_moved_folder(changes, "a", "c");
	expect(changes, "c/made", CHANGE_CREATED);
	expect(changes, "c/b/modified", CHANGE_CREATED);
	expect(changes, "c/lost", -1);
	expect(changes, "a/lost", -1);
	expect(changes, "ab/other", CHANGE_CREATED);
	assert_int_equal(changes_count(changes), 3);
	changes_free(changes);
}

static void test_too_many(void **state)
{
	struct changes *changes;
	char path[32];

	(void)state;
	assert_int_equal(changes_new(&changes), 0);
	for (int i = 0; i < CHANGES_MAX; i++) {
		snprintf(path, sizeof(path), "path-%d", i);
		changes_modified(changes, path);
	}
	assert_false(changes_is_missing(changes));
	changes_created(changes, "one more");
	assert_true(changes_is_missing(changes));
	assert_int_equal(changes_count(changes), CHANGES_MAX);
	changes_free(changes);
}

/* ---- as a server keeps it ---- */

/* The line about that path, or NULL. */
static json_t *line_of(struct place *place, const char *wanted)
{
	auto_buf struct buf text = {0};
	json_t *found = NULL;

	assert_int_equal(share_diff(place->share, &text), 0);
	for (struct slice rest = buf_slice(&text); rest.len > 0;) {
		const char *end = memchr(rest.ptr, '\n', rest.len);
		json_t *line = json_loadb(rest.ptr, (size_t)(end - rest.ptr), JSON_REJECT_DUPLICATES, NULL);

		assert_non_null(line);
		rest = slice_skip(rest, (size_t)(end - rest.ptr) + 1);
		if (strcmp(json_string_value(json_object_get(line, "path")), wanted) == 0)
			found = json_incref(line);
		json_decref(line);
	}
	return found;
}

static void expect_line(struct place *place, const char *path, const char *change, int64_t size)
{
	json_t *line = line_of(place, path);

	assert_true((line != NULL) == (change != NULL));
	if (!change)
		return;
	assert_string_equal(json_string_value(json_object_get(line, "change")), change);
	if (size >= 0)
		assert_int_equal(json_integer_value(json_object_get(line, "size")), size);
	json_decref(line);
}

static void test_every_operation(void **state)
{
	struct place *place = *state;
	struct client *client = &place->client;
	uint64_t file = look(client, ROOT, "file"), folder = look(client, ROOT, "folder"), node, handle;
	struct fuse_setattr_in mode = {.valid = FATTR_MODE, .mode = 0600};
	struct fuse_link_in link = {.oldnodeid = file};

	assert_int_equal(client_read(client, file, 0, 0, 10), 0);
	expect_line(place, "file", NULL, 0);
	assert_int_equal(client_write(client, file, 0, 0, slice_text("longer than before")), 0);
	expect_line(place, "file", "modified", 18);
	assert_int_equal(client_create(client, folder, "made", O_RDWR, 0644, &node, &handle), 0);
	assert_int_equal(client_write(client, node, 0, 0, slice_text("12345")), 0);
	expect_line(place, "folder/made", "created", 5);
	assert_int_equal(client_rename(client, folder, "made", ROOT, "moved", 0), 0);
	expect_line(place, "folder/made", NULL, 0);
	expect_line(place, "moved", "created", 5);
	/* As programs write files safely: what was there was modified. */
	assert_int_equal(client_rename(client, ROOT, "moved", ROOT, "file", 0), 0);
	expect_line(place, "moved", NULL, 0);
	expect_line(place, "file", "modified", 5);
	assert_int_equal(client_mkdir(client, folder, "deep", &node), 0);
	assert_int_equal(client_rename(client, ROOT, "folder", ROOT, "named", 0), 0);
	expect_line(place, "folder", "deleted", -1);
	expect_line(place, "named", "created", -1);
	expect_line(place, "named/deep", "created", -1);
	link.oldnodeid = node = look(client, ROOT, "file");
	assert_int_equal(client_ask(client, FUSE_LINK, ROOT, STRUCT(link), client_name("again"), NONE), 0);
	expect_line(place, "again", "created", 5);
	assert_int_equal(
		client_ask(client, FUSE_SYMLINK, ROOT, client_name("link"), client_name("target"), NONE), 0);
	expect_line(place, "link", "created", 6);
	assert_int_equal(client_ask(client, FUSE_UNLINK, ROOT, client_name("file"), NONE, NONE), 0);
	expect_line(place, "file", "deleted", -1);
	assert_int_equal(client_ask(client, FUSE_SETATTR, node, STRUCT(mode), NONE, NONE), 0);
	expect_line(place, "file", "deleted", -1);
}

/* What comes and goes leaves nothing, also when it was written to after it had gone. */
static void test_comes_and_goes(void **state)
{
	struct place *place = *state;
	struct client *client = &place->client;
	auto_buf struct buf text = {0};
	uint64_t node, handle;

	assert_int_equal(client_create(client, ROOT, "temporary", O_RDWR, 0644, &node, &handle), 0);
	assert_int_equal(client_ask(client, FUSE_UNLINK, ROOT, client_name("temporary"), NONE, NONE), 0);
	assert_int_equal(client_write(client, node, 0, 0, slice_text("x")), 0);
	assert_int_equal(client_create(client, ROOT, "temporary", O_RDWR, 0644, &node, &handle), 0);
	assert_int_equal(unlinkat(place->dir, "temporary", 0), 0); /* on the host */
	assert_int_equal(share_diff(place->share, &text), 0);
	assert_string_equal(buf_text(&text), "");
}

static void test_any_name(void **state)
{
	static const char odd[] = "a\"\\\n\x01\x7f\xff\xc3(", umlaut[] = "\xc3\xbc\xe2\x82\xac";
	struct place *place = *state;
	uint64_t node;
	json_t *line;

	assert_int_equal(client_mkdir(&place->client, ROOT, umlaut, &node), 0);
	expect_line(place, umlaut, "created", -1);
	assert_int_equal(client_mkdir(&place->client, ROOT, odd, &node), 0);
	line = line_of(place, "a\"\\\n\x01\x7f\xc3\xbf\xc3\x83(");
	assert_non_null(line);
	assert_string_equal(json_string_value(json_object_get(line, "raw_hex")), "61225c0a017fffc328");
	json_decref(line);
}

static void test_next_life(void **state)
{
	struct place *place = *state;
	auto_buf struct buf saved = {0};
	uint64_t node = look(&place->client, ROOT, "file");
	struct share *next;

	assert_int_equal(client_write(&place->client, node, 0, 0, slice_text("x")), 0);
	assert_int_equal(client_mkdir(&place->client, ROOT, "made", &node), 0);
	assert_int_equal(share_save(place->share, &saved), 0);
	assert_int_equal(share_new(open(place->path, O_PATH | O_DIRECTORY | O_CLOEXEC), false, &next), 0);
	assert_int_equal(share_load(next, buf_slice(&saved)), 0);
	share_free(place->share);
	place->share = place->client.server = next;
	expect_line(place, "file", "modified", 7);
	expect_line(place, "made", "created", -1);
	assert_int_equal(client_ask(&place->client, FUSE_RMDIR, ROOT, client_name("made"), NONE, NONE), 0);
	expect_line(place, "made", NULL, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_follows_what),
		cmocka_unit_test(test_moved_folder),
		cmocka_unit_test(test_too_many),
		cmocka_unit_test_setup_teardown(test_every_operation, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_comes_and_goes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_any_name, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_next_life, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
