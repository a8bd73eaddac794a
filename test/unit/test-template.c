#include "image/template.h"

#include "base/fd.h"
#include "base/file.h"
#include "image/layer.h"

#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { PART_BYTES = 5000 };

struct world {
	char root[64], guest[PATH_ROOM_BYTES];
	int dir_fd; /* the template's folder */
	struct paths paths;
};

static void write_file(int dir_fd, const char *name, char fill)
{
	char content[PART_BYTES];

	memset(content, fill, sizeof(content));
	assert_int_equal(file_write_atomic(dir_fd, name, 0600, slice_of(content, sizeof(content)), NULL), 0);
}

/* The guest program is looked for beside the running one. */
static void write_guest(struct world *world, const char *content)
{
	ssize_t len = readlink("/proc/self/exe", world->guest, sizeof(world->guest) - 32);
	int fd;

	assert_true(len > 0);
	world->guest[len] = '\0';
	strcpy(strrchr(world->guest, '/'), "/sbx-guest");
	fd = open(world->guest, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0700);
	assert_true(fd >= 0);
	assert_int_equal(fd_write_all(fd, slice_text(content)), 0);
	close(fd);
}

static void make_template(struct world *world)
{
	struct manifest manifest = {.created = 1, .kernel_version = "6.12"};

	for (unsigned int i = 0; i < MANIFEST_BASE_FILES; i++)
		write_file(world->dir_fd, manifest_file_name(i), (char)('a' + i));
	assert_int_equal(manifest_measure(world->dir_fd, &manifest, NULL), 0);
	assert_int_equal(manifest_write(world->dir_fd, &manifest, NULL), 0);
}

static int setup(void **state)
{
	struct world *world = calloc(1, sizeof(*world));
	char path[128];

	strcpy(world->root, "/tmp/sbx-test-XXXXXX");
	assert_non_null(mkdtemp(world->root));
	snprintf(world->paths.data, sizeof(world->paths.data), "%s/data", world->root);
	snprintf(world->paths.cache, sizeof(world->paths.cache), "%s/cache", world->root);
	snprintf(path, sizeof(path), "%s/data/templates/base", world->root);
	assert_int_equal(file_make_dirs(path, NULL), 0);
	assert_int_equal(file_make_dirs(world->paths.cache, NULL), 0);
	world->dir_fd = file_open_dir(AT_FDCWD, path);
	assert_true(world->dir_fd >= 0);
	make_template(world);
	write_guest(world, "guest one");
	*state = world;
	return 0;
}

static int teardown(void **state)
{
	struct world *world = *state;

	close(world->dir_fd);
	unlink(world->guest);
	assert_int_equal(file_remove_tree(AT_FDCWD, world->root, NULL), 0);
	free(world);
	return 0;
}

static void expect_damage(struct world *world, const char *word)
{
	struct template template;
	struct err err = {0};

	assert_int_equal(template_open(&world->paths, "base", &template, &err), -EUCLEAN);
	assert_non_null(strstr(err.text, word));
	assert_non_null(strstr(err.text, "build it again"));
}

static void test_good(void **state)
{
	struct world *world = *state;
	auto_template struct template template = TEMPLATE_NONE;
	auto_buf struct buf content = {0};
	struct err err = {0};

	assert_int_equal(template_open(&world->paths, "base", &template, &err), 0);
	assert_int_equal(strlen(template.id), MANIFEST_ID_BYTES - 1);
	assert_string_equal(template.kernel_version, "6.12");
	assert_int_equal(fd_read_all(template.initramfs, 100000, &content), 0);
	assert_memory_equal(buf_text(&content), "070701", 6);
	assert_non_null(memmem(buf_text(&content), content.len, "guest one", 9));
	assert_int_equal(buf_text(&content)[content.len - 1], 'b');
	assert_int_equal((content.len - PART_BYTES) % 512, 0);
	assert_int_equal(fcntl(template.base, F_GETFL) & O_ACCMODE, O_RDONLY);
	assert_int_equal(template_verify(&world->paths, "base", &err), 0);
}

static ino_t initramfs_inode(struct world *world)
{
	auto_template struct template template = TEMPLATE_NONE;
	struct stat info;

	assert_int_equal(template_open(&world->paths, "base", &template, NULL), 0);
	assert_int_equal(fstat(template.initramfs, &info), 0);
	assert_int_equal(info.st_nlink, 1);
	return info.st_ino;
}

static int count_entries(const char *path)
{
	char command[PATH_ROOM_BYTES + 32];
	int count = -1;
	FILE *list;

	snprintf(command, sizeof(command), "ls -A '%s' | wc -l", path);
	list = popen(command, "r");
	assert_int_equal(fscanf(list, "%d", &count), 1);
	pclose(list);
	return count;
}

static void test_initramfs_is_cached(void **state)
{
	struct world *world = *state;
	ino_t first = initramfs_inode(world);

	assert_int_equal(initramfs_inode(world), first);
	write_guest(world, "guest two");
	(void)initramfs_inode(world);
	assert_int_equal(count_entries(world->paths.cache), 1);
	assert_int_equal(unlink(world->guest), 0);
	assert_int_equal(template_open(&world->paths, "base", &(struct template){0}, NULL), -ENOENT);
}

static void test_missing(void **state)
{
	struct world *world = *state;
	struct template template;
	struct err err = {0};

	assert_int_equal(template_open(&world->paths, "other", &template, &err), -ENOENT);
	assert_non_null(strstr(err.text, "sbx template build other"));
	assert_int_equal(template_open(&world->paths, "../base", &template, &err), -EINVAL);
	assert_int_equal(template_open(&world->paths, "", &template, &err), -EINVAL);
	assert_int_equal(template_open(&world->paths, ".hidden", &template, &err), -EINVAL);
}

static void test_file_damaged(void **state)
{
	struct world *world = *state;

	for (unsigned int i = 0; i < MANIFEST_BASE_FILES; i++) {
		const char *name = manifest_file_name(i);
		int fd;

		assert_int_equal(unlinkat(world->dir_fd, name, 0), 0);
		expect_damage(world, name);
		assert_int_equal(symlinkat("/etc/passwd", world->dir_fd, name), 0);
		expect_damage(world, name);
		make_template(world);
		fd = openat(world->dir_fd, name, O_WRONLY | O_CLOEXEC);
		assert_int_equal(ftruncate(fd, PART_BYTES - 1), 0);
		close(fd);
		expect_damage(world, "4999 bytes instead of 5000");
		make_template(world);
		fd = openat(world->dir_fd, name, O_WRONLY | O_CLOEXEC);
		assert_int_equal(write(fd, "?", 1), 1);
		assert_int_equal(futimens(fd, (struct timespec[2]){{1, 0}, {1, 0}}), 0);
		close(fd);
		expect_damage(world, "was changed");
		make_template(world);
	}
}

static void test_manifest_damaged(void **state)
{
	static const char *const texts[] = {
		"",
		"{",
		"[]",
		"null",
		"{\"version\": 1}",
		"{\"version\": 2, \"id\": \"0123456789abcdef0123456789abcdef\", \"kernel_version\": \"\", "
		"\"created\": 1, \"files\": {}}",
		"{\"version\": 1, \"id\": \"0123456789abcdef0123456789abcdef\", \"kernel_version\": \"\", "
		"\"created\": 1, \"files\": []}",
	};
	struct world *world = *state;

	for (size_t i = 0; i < array_len(texts); i++) {
		assert_int_equal(
			file_write_atomic(world->dir_fd, "template.json", 0600, slice_text(texts[i]), NULL),
			0);
		expect_damage(world, "template.json");
	}
	assert_int_equal(unlinkat(world->dir_fd, "template.json", 0), 0);
	expect_damage(world, "template.json is missing");
}

/* Size and time look right: only the digest can tell. */
static void test_verify_reads_everything(void **state)
{
	struct world *world = *state;
	struct err err = {0};
	struct stat info;
	int fd = openat(world->dir_fd, "base.img", O_RDWR | O_CLOEXEC);

	assert_int_equal(fstat(fd, &info), 0);
	assert_int_equal(pwrite(fd, "?", 1, PART_BYTES - 1), 1);
	assert_int_equal(futimens(fd, (struct timespec[2]){info.st_atim, info.st_mtim}), 0);
	close(fd);
	assert_int_equal(template_verify(&world->paths, "base", &err), -EUCLEAN);
	assert_non_null(strstr(err.text, "base.img"));
}

/* A layer over the base, as it is built: locked, filled, put in place. */
static int make_layer(struct world *world, char fill, const char *base_id, struct err *err)
{
	auto_layer struct layer layer = LAYER_NONE;
	char content[PART_BYTES];
	int r = layer_open(&world->paths, "agent", &layer, err);

	r = r < 0 ? r : layer_lock(&layer, err);
	r = r < 0 ? r : layer_begin(&layer, err);
	if (r < 0)
		return r;
	memset(content, fill, sizeof(content));
	if (fill != '?')
		memcpy(content + 1024 + 56, "\x53\xef", 2);
	assert_int_equal(fd_write_all(layer.image, slice_of(content, sizeof(content))), 0);
	return layer_publish(&layer, base_id, "recipe", err);
}

static void test_layer(void **state)
{
	struct world *world = *state;
	auto_template struct template base = TEMPLATE_NONE;
	auto_template struct template first = TEMPLATE_NONE;
	auto_template struct template second = TEMPLATE_NONE;
	struct err err = {0};
	char path[128];

	assert_int_equal(template_open(&world->paths, "base", &base, NULL), 0);
	assert_int_equal(base.layer, -1);
	assert_int_equal(make_layer(world, 'a', base.id, &err), 0);
	assert_int_equal(template_open(&world->paths, "agent", &first, &err), 0);
	assert_true(first.layer >= 0);
	assert_string_equal(first.recipe, "recipe");
	assert_string_equal(first.initramfs_id, base.initramfs_id);
	assert_string_equal(first.kernel_version, base.kernel_version);
	assert_string_not_equal(first.id, base.id);
	assert_int_equal(template_verify(&world->paths, "agent", &err), 0);

	assert_int_equal(make_layer(world, 'b', base.id, &err), 0);
	assert_int_equal(template_open(&world->paths, "agent", &second, &err), 0);
	assert_string_not_equal(first.id, second.id);
	snprintf(path, sizeof(path), "%s/data/templates", world->root);
	/* The two, and the lock of the one. */
	assert_int_equal(count_entries(path), 3);
}

static void test_layer_of_no_use(void **state)
{
	struct world *world = *state;
	auto_template struct template base = TEMPLATE_NONE;
	struct template template;
	struct err err = {0};

	assert_int_equal(template_open(&world->paths, "base", &base, NULL), 0);
	assert_int_equal(make_layer(world, '?', base.id, &err), -EIO);
	assert_int_equal(template_open(&world->paths, "agent", &template, &err), -ENOENT);
	assert_int_equal(make_layer(world, 'a', "0123456789abcdef0123456789abcdef", &err), 0);
	assert_int_equal(template_open(&world->paths, "agent", &template, &err), -ESTALE);
	assert_int_equal(make_layer(world, 'a', base.id, &err), 0);
	assert_int_equal(unlinkat(world->dir_fd, "kernel", 0), 0);
	assert_int_equal(template_open(&world->paths, "agent", &template, &err), -ESTALE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_good, setup, teardown),
		cmocka_unit_test_setup_teardown(test_initramfs_is_cached, setup, teardown),
		cmocka_unit_test_setup_teardown(test_missing, setup, teardown),
		cmocka_unit_test_setup_teardown(test_file_damaged, setup, teardown),
		cmocka_unit_test_setup_teardown(test_manifest_damaged, setup, teardown),
		cmocka_unit_test_setup_teardown(test_verify_reads_everything, setup, teardown),
		cmocka_unit_test_setup_teardown(test_layer, setup, teardown),
		cmocka_unit_test_setup_teardown(test_layer_of_no_use, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
