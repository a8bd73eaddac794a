/* What the store does without a keychain: the list, placeholders, the encrypted file, commands. */
#include "base/file.h"
#include "store/command.h"
#include "store/index.h"
#include "store/locker.h"
#include "store/placeholder.h"

#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/keyctl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

struct place {
	char home[32];
	struct paths paths;
};

static int set_up(void **state)
{
	static struct place place;

	place = (struct place){.home = "/tmp/test-store-XXXXXX"};
	assert_non_null(mkdtemp(place.home));
	setenv("SBX_HOME", place.home, 1);
	unsetenv("SBX_PASSPHRASE_FILE");
	assert_int_equal(paths_open(&place.paths, NULL), 0);
	*state = &place;
	return 0;
}

/* The kernel would know it until the machine restarts. */
static void forget_key(const struct place *place)
{
	auto_buf struct buf text = {0};
	char path[64], name[64] = "sbx:";
	long key;

	snprintf(path, sizeof(path), "%s/data/secrets", place->home);
	if (file_read(AT_FDCWD, path, 65536, &text) < 0 || text.len < 31)
		return;
	for (size_t i = 0; i < 16; i++)
		snprintf(name + 4 + 2 * i, 3, "%02x", (unsigned char)buf_text(&text)[15 + i]);
	key = syscall(SYS_keyctl, KEYCTL_SEARCH, KEY_SPEC_USER_KEYRING, "user", name, 0);
	if (key > 0)
		(void)syscall(SYS_keyctl, KEYCTL_UNLINK, key, KEY_SPEC_USER_KEYRING);
}

static int tear_down(void **state)
{
	const struct place *place = *state;

	forget_key(place);
	return file_remove_tree(AT_FDCWD, place->home, NULL);
}

static void write_file(const char *folder, const char *name, const char *text)
{
	autofd int dir = file_open_dir(AT_FDCWD, folder);

	assert_int_equal(file_write_atomic(dir, name, 0600, slice_text(text), NULL), 0);
}

/* ---- the list ---- */

static void test_index(void **state)
{
	static struct index index, again;
	const struct place *place = *state;
	struct index_entry *entry;
	char key[INDEX_KEY_BYTES];

	assert_int_equal(index_load(&place->paths, &index, NULL), 0);
	assert_int_equal(index.count, 0);
	entry = index_put(&index, "openai", "", NULL);
	entry->source = INDEX_FILE;
	entry = index_put(&index, "openai", "x", NULL);
	entry->source = INDEX_COMMAND;
	entry->command = strdup("pass \"show\" x");
	entry->refresh_s = 3300;
	assert_int_equal(index_save(&place->paths, &index, NULL), 0);
	assert_int_equal(index_load(&place->paths, &again, NULL), 0);
	assert_int_equal(again.count, 2);
	assert_string_equal(index_for(&again, "openai", "x")->command, "pass \"show\" x");
	assert_int_equal(index_for(&again, "openai", "x")->refresh_s, 3300);
	assert_int_equal(index_for(&again, "openai", "y")->source, INDEX_FILE);
	assert_null(index_for(&again, "groq", "x"));
	index_drop(&again, index_find(&again, "openai", ""));
	assert_null(index_for(&again, "openai", "y"));
	assert_non_null(index_find(&again, "openai", "x"));
	index_key("openai", "x", key);
	assert_string_equal(key, "openai@x");
	index_done(&index);
	index_done(&again);
}

static void test_a_bad_index(void **state)
{
	static struct index index;
	static const char *const texts[] = {"{}",
					    "[1]",
					    "[{\"service\": \"a\"}]",
					    "[{\"service\": \"a\", \"source\": \"x\"}]",
					    "[{\"service\": \"a\", \"source\": \"command\"}]",
					    "[{\"service\": \"A\", \"source\": \"file\"}]",
					    "[{\"service\": \"a\", \"source\": \"file\", \"refresh\": -1}]"};
	const struct place *place = *state;

	for (size_t i = 0; i < array_len(texts); i++) {
		struct err err;

		write_file(place->paths.config, "secrets.json", texts[i]);
		assert_int_equal(index_load(&place->paths, &index, &err), -EINVAL);
		assert_non_null(strstr(err.text, "secrets.json"));
		index_done(&index);
	}
}

/* ---- placeholders ---- */

static void test_placeholders(void **state)
{
	const struct place *place = *state;
	unsigned char seed[PLACEHOLDER_SEED_BYTES], again[PLACEHOLDER_SEED_BYTES],
		other[PLACEHOLDER_SEED_BYTES];
	char one[PLACEHOLDER_ROOM_BYTES], two[PLACEHOLDER_ROOM_BYTES];
	autofd int dir = file_open_dir(AT_FDCWD, place->paths.data);
	autofd int second = file_open_dir(AT_FDCWD, place->paths.cache);

	assert_int_equal(placeholder_seed(dir, seed, NULL), 0);
	assert_int_equal(placeholder_seed(dir, again, NULL), 0);
	assert_int_equal(placeholder_seed(second, other, NULL), 0);
	assert_memory_equal(seed, again, sizeof(seed));
	assert_memory_not_equal(seed, other, sizeof(seed));
	placeholder_make(seed, slice_text("openai"), slice_text("sk-%s"), one);
	placeholder_make(seed, slice_text("openai"), slice_text("sk-%s"), two);
	assert_string_equal(one, two);
	assert_int_equal(strlen(one), 3 + 36);
	placeholder_make(seed, slice_text("groq"), slice_text(""), two);
	assert_string_not_equal(one + 3, two);
	assert_int_equal(strlen(two), 36);
	placeholder_make(other, slice_text("openai"), slice_text("sk-%s-x"), two);
	assert_true(strncmp(one, two, 39) != 0 && strcmp(two + 39, "-x") == 0);
}

static void test_a_damaged_seed(void **state)
{
	const struct place *place = *state;
	unsigned char seed[PLACEHOLDER_SEED_BYTES];
	autofd int dir = file_open_dir(AT_FDCWD, place->paths.data);

	write_file(place->paths.data, PLACEHOLDER_FILE_NAME, "short\n");
	assert_int_equal(placeholder_seed(dir, seed, NULL), -EBADMSG);
}

/* ---- the encrypted file ---- */

static int put(const struct place *place, const char *name, const char *value, struct err *err)
{
	auto_locker struct locker locker = LOCKER_NONE;
	int r = locker_open(&place->paths, true, &locker, err);

	return r < 0 ? r : locker_set(&locker, name, slice_text(value), err);
}

static void holds(const struct place *place, const char *name, const char *wanted)
{
	auto_locker struct locker locker = LOCKER_NONE;
	struct slice value;

	assert_int_equal(locker_open(&place->paths, false, &locker, NULL), 0);
	assert_int_equal(locker_get(&locker, name, &value), wanted != NULL);
	if (wanted)
		assert_true(slice_is(value, wanted));
}

/* With a passphrase: whether the kernel keeps keys is the host's business. */
static void test_locker(void **state)
{
	const struct place *place = *state;
	auto_locker struct locker none = LOCKER_NONE;
	auto_buf struct buf text = {0};
	char path[64];
	struct stat info;
	struct err err;

	snprintf(path, sizeof(path), "%s/passphrase", place->home);
	write_file(place->home, "passphrase", "correct horse\n");
	setenv("SBX_PASSPHRASE_FILE", path, 1);
	assert_int_equal(locker_open(&place->paths, false, &none, &err), -ENOENT);
	assert_int_equal(put(place, "openai", "one-that-is-secret", &err), 0);
	assert_int_equal(put(place, "openai@x", "two", &err), 0);
	assert_int_equal(put(place, "openai", "three", &err), 0);
	holds(place, "openai", "three");
	holds(place, "openai@x", "two");
	holds(place, "open", NULL);
	assert_int_equal(put(place, "openai", "", &err), 0);
	holds(place, "openai", NULL);
	holds(place, "openai@x", "two");
	snprintf(path, sizeof(path), "%s/data/secrets", place->home);
	assert_int_equal(stat(path, &info), 0);
	assert_int_equal(info.st_mode & 0777, 0600);
	assert_int_equal(file_read(AT_FDCWD, path, 65536, &text), 0);
	assert_null(memmem(buf_text(&text), text.len, "openai", 6));
}

static void test_a_damaged_locker(void **state)
{
	const struct place *place = *state;
	auto_locker struct locker locker = LOCKER_NONE;
	autofd int file = -1;
	char path[64];
	struct err err;

	snprintf(path, sizeof(path), "%s/passphrase", place->home);
	write_file(place->home, "passphrase", "correct horse\n");
	setenv("SBX_PASSPHRASE_FILE", path, 1);
	assert_int_equal(put(place, "a", "b", &err), 0);
	snprintf(path, sizeof(path), "%s/data/secrets", place->home);
	file = open(path, O_WRONLY | O_CLOEXEC);
	assert_int_equal(pwrite(file, "x", 1, 60), 1);
	assert_int_equal(put(place, "a", "c", &err), -EBADMSG);
	forget_key(place);
	write_file(place->paths.data, "secrets", "something else");
	assert_int_equal(locker_open(&place->paths, false, &locker, &err), -EBADMSG);
	assert_non_null(strstr(err.text, "no file of secrets"));
}

/* ---- commands ---- */

static void says(const char *command, int limit_ms, int wanted, const char *text)
{
	auto_value struct value value = {0};
	struct err err = {.text = ""};

	assert_int_equal(value_init(&value, &err), 0);
	assert_int_equal(command_value(command, -1, limit_ms, &value, &err), wanted);
	if (wanted == 0)
		assert_true(slice_is(value_slice(&value), text));
	else if (!strstr(err.text, text))
		fail_msg("%s: %s", command, err.text);
	assert_null(strstr(err.text, "hidden"));
}

static void test_commands(void **state)
{
	(void)state;
	says("echo abc", 5000, 0, "abc");
	says("printf 'abc\\r\\n'", 5000, 0, "abc");
	says("cat", 5000, -EINVAL, "empty");
	says("echo hidden; exit 3", 5000, -EIO, "status 3");
	says("echo hidden; kill -9 $$", 5000, -EIO, "signal 9");
	says("echo hidden; echo two", 5000, -EINVAL, "several lines");
	says("sleep 1000", 200, -ETIME, "longer than");
	says("exec >&-; sleep 1000", 200, -ETIME, "longer than");
	says("yes hidden", 5000, -EFBIG, "more than");
	says("no-such-program-of-this-name 2>/dev/null", 5000, -EIO, "status 127");
}

static void test_a_command_that_nobody_waits_for(void **state)
{
	auto_value struct value value = {0};
	struct err err = {.text = ""};
	int ends[2];

	(void)state;
	assert_int_equal(value_init(&value, &err), 0);
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_int_equal(command_value("echo abc", ends[1], 5000, &value, &err), 0);
	close(ends[0]);
	assert_int_equal(command_value("sleep 1000", ends[1], 5000, &value, &err), -EPIPE);
	close(ends[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_index, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_bad_index, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_placeholders, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_damaged_seed, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_locker, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_damaged_locker, set_up, tear_down),
		cmocka_unit_test(test_commands),
		cmocka_unit_test(test_a_command_that_nobody_waits_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
