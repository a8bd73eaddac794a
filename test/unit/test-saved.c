#include "supervisor/saved.h"

#include "base/buf.h"
#include "base/file.h"

#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

struct place {
	char path[64];
	int dir, saved;
};

static void write_text(int dir, const char *name, const char *text)
{
	assert_int_equal(file_write_atomic(dir, name, 0600, slice_text(text), NULL), 0);
}

static int set_up(void **state)
{
	static struct place place;
	struct saved saved = {.machine = "engine.template", .base_bytes = 4, .base = "0123"};

	strcpy(place.path, "/tmp/test-saved-XXXXXX");
	assert_non_null(mkdtemp(place.path));
	place.dir = file_open_dir(AT_FDCWD, place.path);
	assert_int_equal(mkdirat(place.dir, "saved", 0700), 0);
	place.saved = file_open_dir(place.dir, "saved");
	write_text(place.dir, "disk.img", "disk");
	write_text(place.dir, "base", "base");
	write_text(place.saved, "devices", "devices");
	write_text(place.saved, "memory", "memory");
	{
		autofd int disk = openat(place.dir, "disk.img", O_RDONLY | O_CLOEXEC);

		assert_int_equal(saved_describe(place.saved, &saved, NULL), 0);
		assert_int_equal(saved_write(place.saved, disk, &saved, NULL), 0);
	}
	*state = &place;
	return 0;
}

static int tear_down(void **state)
{
	struct place *place = *state;

	close(place->dir);
	close(place->saved);
	return file_remove_tree(AT_FDCWD, place->path, NULL);
}

static void test_whole(void **state)
{
	const struct place *place = *state;
	struct saved read;
	struct err err = {.text = ""};

	if (saved_read(place->dir, "saved", &read, &err) < 0)
		fail_msg("%s", err.text);
	assert_string_equal(read.machine, "engine.template");
	assert_string_equal(read.base, "0123");
	assert_string_equal(read.id, "");
	assert_int_equal(read.memory_bytes, strlen("memory"));
	assert_int_equal(read.devices_bytes, strlen("devices"));
	assert_false(saved_is_base(&read));
	assert_int_equal(saved_read(place->dir, "resuming", &read, &err), -ENOENT);
}

static void damaged(const struct place *place, const char *why)
{
	struct err err = {.text = ""};
	struct saved read;

	assert_int_equal(saved_read(place->dir, "saved", &read, &err), -EUCLEAN);
	if (!strstr(err.text, why))
		fail_msg("got '%s' instead of '%s'", err.text, why);
}

static void test_devices_changed(void **state)
{
	const struct place *place = *state;

	write_text(place->saved, "devices", "devicez");
	damaged(place, "devices is damaged");
}

static void test_devices_short(void **state)
{
	const struct place *place = *state;

	write_text(place->saved, "devices", "device");
	damaged(place, "'devices' is not whole");
}

static void test_memory_missing(void **state)
{
	const struct place *place = *state;

	assert_int_equal(unlinkat(place->saved, "memory", 0), 0);
	damaged(place, "'memory' is missing");
}

static void test_base_short(void **state)
{
	const struct place *place = *state;

	write_text(place->dir, "base", "bas");
	damaged(place, "'base' is not whole");
}

static void test_disk_changed(void **state)
{
	const struct place *place = *state;

	struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = 1000000000}};

	assert_int_equal(utimensat(place->dir, "disk.img", times, 0), 0);
	damaged(place, "the disk has changed");
}

static void test_manifest(void **state)
{
	static const char *const texts[] = {"", "\n", "x\n{}\n", "0123\n{}\n"};
	const struct place *place = *state;
	auto_buf struct buf text = {0};
	struct saved read;

	assert_int_equal(file_read(place->saved, "manifest.json", 65536, &text), 0);
	for (size_t i = 0; i < text.len; i += 7) {
		auto_buf struct buf changed = {0};

		assert_int_equal(buf_append(&changed, buf_slice(&text)), 0);
		changed.data[changed.start + i] ^= 1;
		write_text(place->saved, "manifest.json", buf_text(&changed));
		damaged(place, "description is damaged");
	}
	for (size_t i = 0; i < array_len(texts); i++) {
		write_text(place->saved, "manifest.json", texts[i]);
		damaged(place, "description is damaged");
	}
	assert_int_equal(saved_read_base(place->dir, &read), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_whole, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_devices_changed, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_devices_short, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_memory_missing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_base_short, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_disk_changed, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_manifest, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
