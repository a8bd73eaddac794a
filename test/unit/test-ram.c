#include "supervisor/ram.h"

#include "base/buf.h"
#include "supervisor/ram-map.h"

#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

enum { PAGES = 3000, BYTES = PAGES * RAM_PAGE_BYTES };

static int image_new(void)
{
	int fd = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	return fd;
}

static void put(int memfd, uint64_t page, const char *text)
{
	assert_int_equal(pwrite(memfd, text, strlen(text), (off_t)(page * RAM_PAGE_BYTES)), strlen(text));
}

static void expect(int memfd, uint64_t page, const char *text)
{
	char found[64] = "";

	assert_int_equal(pread(memfd, found, strlen(text) + 1, (off_t)(page * RAM_PAGE_BYTES)),
			 strlen(text) + 1);
	assert_string_equal(found, text);
}

static int memory_new(void)
{
	int memfd = ram_new(BYTES);

	assert_true(memfd >= 0);
	put(memfd, 0, "first");
	put(memfd, 700, "in the middle");
	put(memfd, 701, "behind it");
	put(memfd, 800, ""); /* nothing: stays a hole */
	put(memfd, PAGES - 1, "last");
	return memfd;
}

static uint64_t save(const struct ram_source *source, int image)
{
	uint64_t bytes = 0, measured = 0;
	struct err err = {.text = ""};
	struct stat info;

	assert_int_equal(ram_measure(source, &measured, &err), 0);
	if (ram_save(source, image, &bytes, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(fstat(image, &info), 0);
	assert_int_equal(info.st_size, bytes);
	assert_true(bytes <= measured);
	return bytes;
}

static void test_own_memory(void **state)
{
	autofd int memory = memory_new(), image = image_new(), again = ram_new(BYTES);
	char zeros[RAM_PAGE_BYTES] = {0};
	struct stat info;
	uint64_t bytes;

	(void)state;
	/* A page of zeros that is there is not kept either. */
	assert_int_equal(pwrite(memory, zeros, sizeof(zeros), 900 * RAM_PAGE_BYTES), sizeof(zeros));
	bytes = save(&(struct ram_source){.memfd = memory, .bytes = BYTES}, image);
	assert_in_range(bytes, 5 * RAM_PAGE_BYTES, 6 * RAM_PAGE_BYTES);
	assert_int_equal(ram_fill(image, again, BYTES, NULL), 0);
	expect(again, 0, "first");
	expect(again, 700, "in the middle");
	expect(again, 701, "behind it");
	expect(again, PAGES - 1, "last");
	expect(again, 900, "");
	assert_int_equal(fstat(again, &info), 0);
	assert_true(info.st_blocks * 512 <= 4 * RAM_PAGE_BYTES); /* read holes stay holes */
}

/* A process that maps the sealed memory privately and changes it, as an engine does. */
static pid_t engine_new(int memfd, int *ret_go)
{
	int go[2], ready[2];
	char byte = 0;
	pid_t pid;

	assert_int_equal(pipe2(go, O_CLOEXEC), 0);
	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		char *memory = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE, memfd, 0);

		close(go[1]);
		strcpy(memory + 5 * RAM_PAGE_BYTES, "changed");
		strcpy(memory + 700 * RAM_PAGE_BYTES, "changed too");
		memset(memory + 701 * RAM_PAGE_BYTES, 0, RAM_PAGE_BYTES);
		if (memory[0] != 'f' || write(ready[1], &byte, 1) != 1)
			_exit(1);
		(void)!read(go[0], &byte, 1);
		_exit(strcmp(memory + 700 * RAM_PAGE_BYTES, "changed too") == 0 &&
				      strcmp(memory, "first") == 0
			      ? 0
			      : 2);
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(go[0]);
	close(ready[0]);
	close(ready[1]);
	*ret_go = go[1];
	return pid;
}

/* A second one, into which the changes of the first are written. */
static void expect_restored(int memfd, int image)
{
	int status = -1;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		char *memory = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE, memfd, 0);

		raise(SIGSTOP);
		_exit(strcmp(memory + 5 * RAM_PAGE_BYTES, "changed") != 0         ? 1
		      : strcmp(memory + 700 * RAM_PAGE_BYTES, "changed too") != 0 ? 2
		      : memory[701 * RAM_PAGE_BYTES] != 0                         ? 3
		      : strcmp(memory, "first") != 0                              ? 4
										  : 0);
	}
	assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
	assert_int_equal(ram_fill_engine(image, pid, BYTES, NULL), 0);
	kill(pid, SIGCONT);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void test_changed_memory(void **state)
{
	autofd int memory = memory_new(), image = image_new();
	int go, status = -1;
	uint64_t bytes;
	pid_t pid;

	(void)state;
	assert_false(ram_is_sealed(memory, BYTES));
	assert_int_equal(ram_seal(memory), 0);
	assert_true(ram_is_sealed(memory, BYTES));
	assert_false(ram_is_sealed(memory, BYTES + RAM_PAGE_BYTES));
	pid = engine_new(memory, &go);
	bytes = save(&(struct ram_source){.memfd = -1, .engine = pid, .bytes = BYTES}, image);
	assert_in_range(bytes, 3 * RAM_PAGE_BYTES, 4 * RAM_PAGE_BYTES); /* head, two pages, a run of zeros */
	close(go);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	expect_restored(memory, image);
	expect(memory, 700, "in the middle");
}

/* What a process that was taken over could try with the descriptor. */
static void test_sealed(void **state)
{
	autofd int memory = memory_new();
	char path[64];

	(void)state;
	assert_int_equal(ram_seal(memory), 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", memory);
	autofd int again = open(path, O_RDWR | O_CLOEXEC);
	assert_true(again >= 0);
	assert_int_equal(pwrite(again, "x", 1, 0), -1);
	assert_int_equal(errno, EPERM);
	assert_int_equal(ftruncate(again, 0), -1);
	assert_int_equal(ftruncate(again, BYTES * 2), -1);
	assert_int_equal(fallocate(again, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, RAM_PAGE_BYTES), -1);
	assert_ptr_equal(mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, again, 0), MAP_FAILED);
	assert_int_equal(fcntl(again, F_ADD_SEALS, 0), -1);
	expect(memory, 0, "first");
}

/* Over an image that was longer, and said something else. */
static void test_written_twice(void **state)
{
	autofd int before = memory_new(), image = image_new(), after = ram_new(BYTES), again = ram_new(BYTES);
	uint64_t bytes;

	(void)state;
	bytes = save(&(struct ram_source){.memfd = before, .bytes = BYTES}, image);
	put(after, 700, "later");
	assert_true(save(&(struct ram_source){.memfd = after, .bytes = BYTES}, image) < bytes);
	assert_int_equal(ram_fill(image, again, BYTES, NULL), 0);
	expect(again, 700, "later");
	expect(again, 701, "");
	expect(again, 0, "");
}

static void test_damaged(void **state)
{
	autofd int memory = memory_new();
	struct err err;

	(void)state;
	for (int i = 0; i < 6; i++) {
		autofd int image = image_new(), again = ram_new(BYTES);
		uint64_t bytes = save(&(struct ram_source){.memfd = memory, .bytes = BYTES}, image);
		uint64_t expected = BYTES;
		char byte;
		off_t at;

		switch (i) {
		case 0: /* lost its end */
			assert_int_equal(ftruncate(image, (off_t)bytes - 1), 0);
			break;
		case 1: /* got more */
			assert_int_equal(ftruncate(image, (off_t)bytes + 1), 0);
			break;
		case 2: /* of another machine */
			expected += RAM_PAGE_BYTES;
			break;
		case 3: /* empty */
			assert_int_equal(ftruncate(image, 0), 0);
			break;
		default: /* a bit of the head, or of the table */
			at = i == 4 ? 8 : (off_t)bytes - 5;
			assert_int_equal(pread(image, &byte, 1, at), 1);
			byte ^= 4;
			assert_int_equal(pwrite(image, &byte, 1, at), 1);
		}
		assert_int_equal(ram_fill(image, again, expected, &err), -EUCLEAN);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_own_memory), cmocka_unit_test(test_changed_memory),
		cmocka_unit_test(test_sealed),     cmocka_unit_test(test_written_twice),
		cmocka_unit_test(test_damaged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
