#include "image/progress.h"

#include "base/mem.h"

#include "unit.h"

#include <string.h>

/* From the log of a real build, shortened; the mirror's name is made up. */
static const char *const real_log[] = {
	"I: automatically chosen mode: root",
	"I: using /var/tmp/sbx-build-1/mmdebstrap.6H1zfE7aRu as tempdir",
	"I: running apt-get update...",
	"Get:1 http://mirror.invalid/debian trixie InRelease [140 kB]",
	"Get:4 http://mirror.invalid/debian trixie/main amd64 Packages [9679 kB]",
	"Fetched 10.2 MB in 1s (13.4 MB/s)",
	"I: downloading packages with apt...",
	"0 upgraded, 59 newly installed, 0 to remove and 0 not upgraded.",
	"Need to get 25.4 MB of archives.",
	"Get:1 http://mirror.invalid/debian trixie/main amd64 gcc-14-base amd64 14.2.0-19 [49.4 kB]",
	"I: extracting archives...",
	"I: installing essential packages...",
	"Selecting previously unselected package debianutils.",
	"Preparing to unpack .../debianutils_5.23.2_amd64.deb ...",
	"Unpacking debianutils (5.23.2) ...",
	"Setting up libc6:amd64 (2.41-12+deb13u5) ...",
	"I: installing remaining packages inside the chroot...",
	"0 upgraded, 4 newly installed, 0 to remove and 0 not upgraded.",
	"Need to get 313 MB of archives.",
	"After this operation, 1207 MB of additional disk space will be used.",
	"Get:1 http://mirror.invalid/debian trixie/main amd64 docker.io amd64 26.1.5 [150 MB]",
	"Get:2 http://mirror.invalid/debian trixie/main amd64 nodejs amd64 20.19.2 [163 MB]",
	"Fetched 313 MB in 1s (274 MB/s)",
	"Selecting previously unselected package login.defs.",
	"Unpacking login.defs (1:4.17.4-2) ...",
	"Unpacking docker.io (26.1.5) ...",
	"Unpacking nodejs (20.19.2) ...",
	"Unpacking zip (3.0-15) ...",
	"Setting up login.defs (1:4.17.4-2) ...",
	"Setting up zip (3.0-15) ...",
	"I: running --customize-hook directly: /var/tmp/sbx-build-1/hook "
	"/var/tmp/sbx-build-1/mmdebstrap.6H1zfE7aRu",
	"SBX: setting up the user and the system",
	"SBX: kernel 6.12.118+deb13-cloud-amd64",
	"SBX: writing the disk image",
	"SBX: image written",
	"I: cleaning package lists and apt cache...",
	"Reading package lists...",
	"I: success in 67.8991 seconds",
};

static void feed(struct progress *progress, const char *line)
{
	progress_line(progress, slice_text(line));
}

static void test_real_log(void **state)
{
	struct progress progress;
	double before = 0;

	(void)state;
	progress_init(&progress);
	assert_string_equal(progress_text(&progress), "starting");
	for (size_t i = 0; i < array_len(real_log); i++) {
		feed(&progress, real_log[i]);
		assert_true(progress.fraction >= before && progress.fraction <= 1);
		before = progress.fraction;
	}
	assert_int_equal(progress.phase, PROGRESS_TIDY);
	assert_string_equal(progress.kernel, "6.12.118+deb13-cloud-amd64");
	assert_string_equal(progress.reason, "");
	assert_true(progress.fraction > 0.9);
}

static void test_download(void **state)
{
	struct progress progress;

	(void)state;
	progress_init(&progress);
	for (size_t i = 0; i < 21; i++)
		feed(&progress, real_log[i]);
	assert_int_equal(progress.phase, PROGRESS_FETCH);
	assert_int_equal(progress.bytes, 150000000);
	assert_int_equal(progress.bytes_wanted, 313000000);
	assert_true(progress.fraction > 0.30 && progress.fraction < 0.34);
}

static void test_packages(void **state)
{
	struct progress progress;

	(void)state;
	progress_init(&progress);
	for (size_t i = 0; i < 26; i++)
		feed(&progress, real_log[i]);
	assert_int_equal(progress.phase, PROGRESS_INSTALL);
	assert_int_equal(progress.packages, 4);
	assert_int_equal(progress.unpacked, 2);
	assert_int_equal(progress.bytes_wanted, 0);
}

static void test_phases_never_go_back(void **state)
{
	struct progress progress;

	(void)state;
	progress_init(&progress);
	feed(&progress, "SBX: writing the disk image");
	feed(&progress, "I: running apt-get update...");
	assert_int_equal(progress.phase, PROGRESS_IMAGE);
	assert_true(progress.fraction >= 0.84);
}

static void test_reason_from_apt(void **state)
{
	struct progress progress;

	(void)state;
	progress_init(&progress);
	feed(&progress,
	     "W: Failed to fetch http://mirror.invalid/debian/dists/trixie/InRelease  Could not resolve");
	feed(&progress, "E: apt-get update failed: E: apt-get --error-on=any update failed");
	assert_memory_equal(progress.reason, "W: Failed to fetch", 18);
	feed(&progress, "E: Unable to fetch some archives, maybe run apt-get update");
	feed(&progress, "E: mmdebstrap failed to run");
	assert_string_equal(progress.reason, "E: Unable to fetch some archives, maybe run apt-get update");
	assert_false(progress.is_disk_full);
}

static void test_reason_from_hook(void **state)
{
	struct progress progress;

	(void)state;
	progress_init(&progress);
	feed(&progress, "SBX: writing the disk image");
	feed(&progress, "mke2fs: No space left on device while writing inode table");
	feed(&progress, "E: command failed: /var/tmp/sbx-build-1/hook");
	assert_memory_equal(progress.reason, "mke2fs: No space", 16);
	assert_true(progress.is_disk_full);
}

static void test_nonsense(void **state)
{
	static const char *const lines[] = {
		"",
		"Get:",
		"Get:1 [",
		"Get:1 [9",
		"Get:1 [.. MB]",
		"Need to get",
		"Need to get ",
		"Need to get -1 MB",
		"Get:1 x [99999999999999999999999999999999999 GB]",
		" newly installed",
		"9 newly installed",
		"Need to get 99999999999999999999999999999 GB of archives.",
		"E: ",
		"SBX: kernel ",
		"SBX: ",
		"Unpacking ",
		"99999999999999999999999999999999 newly installed",
	};
	struct progress progress;

	(void)state;
	progress_init(&progress);
	feed(&progress, "I: installing remaining packages inside the chroot...");
	for (int round = 0; round < 3; round++)
		for (size_t i = 0; i < array_len(lines); i++) {
			feed(&progress, lines[i]);
			assert_true(progress.fraction >= 0 && progress.fraction <= 1);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_real_log),        cmocka_unit_test(test_download),
		cmocka_unit_test(test_packages),        cmocka_unit_test(test_phases_never_go_back),
		cmocka_unit_test(test_reason_from_apt), cmocka_unit_test(test_reason_from_hook),
		cmocka_unit_test(test_nonsense),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
