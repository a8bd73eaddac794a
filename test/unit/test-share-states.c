#include "supervisor/share-states.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "unit.h"

static int memory_with(const char *text)
{
	int fd = memfd_create("test", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(fd_write_all(fd, slice_text(text)), 0);
	return fd;
}

static void assert_holds(int fd, const char *text)
{
	char found[64] = "";

	assert_true(fd >= 0);
	assert_int_equal(pread(fd, found, sizeof(found) - 1, 0), strlen(text));
	assert_string_equal(found, text);
}

static int three_records(void)
{
	autofd int two = memory_with("what two knows"), nine = memory_with("");
	int file = memory_with("");

	assert_int_equal(share_states_begin(file), 0);
	assert_int_equal(share_states_append(file, 2, two), 0);
	assert_int_equal(share_states_append(file, 5, -1), 0);
	assert_int_equal(share_states_append(file, 9, nine), 0);
	return file;
}

static void test_round_trip(void **state)
{
	autofd int file = three_records();
	struct share_states states;

	(void)state;
	assert_int_equal(share_states_read(file, &states), 0);
	assert_holds(states.states[2], "what two knows");
	assert_holds(states.states[9], "");
	assert_int_equal(states.states[5], -1);
	assert_true(states.is_known[2] && states.is_known[5] && states.is_known[9]);
	assert_false(states.is_known[0]);
	assert_int_equal(states.states[0], -1);
	share_states_done(&states);
	assert_int_equal(states.states[2], -1);
}

static void test_nothing(void **state)
{
	autofd int empty = memory_with(""), begun = memory_with("");
	struct share_states states;

	(void)state;
	assert_int_equal(share_states_read(empty, &states), 0);
	assert_int_equal(share_states_begin(begun), 0);
	assert_int_equal(share_states_read(begun, &states), 0);
	assert_false(states.is_known[0]);
}

/* Cut anywhere, it is refused, and nothing stays open. */
static void test_cut(void **state)
{
	autofd int whole = three_records();
	struct share_states states;
	struct stat info;
	off_t good[] = {0, 8, 8 + 16 + 14, 8 + 16 + 14 + 16};

	(void)state;
	assert_int_equal(fstat(whole, &info), 0);
	for (off_t len = info.st_size - 1; len > 0; len--) {
		bool is_good = false;

		for (size_t i = 0; i < array_len(good); i++)
			is_good |= good[i] == len;
		assert_int_equal(ftruncate(whole, len), 0);
		assert_int_equal(share_states_read(whole, &states), is_good ? 0 : -EBADMSG);
		share_states_done(&states);
	}
}

static void test_nonsense(void **state)
{
	const struct {
		size_t at;
		unsigned char byte;
	} changes[] = {
		{0, 'x'},    /* no such file */
		{8, 16},     /* a port that does not exist */
		{8 + 30, 2}, /* the same port twice */
		{16 + 7, 1}, /* longer than any */
		{12, 0},     /* no state, but bytes of it */
	};
	struct share_states states;

	(void)state;
	for (size_t i = 0; i < array_len(changes); i++) {
		autofd int file = three_records();

		assert_int_equal(pwrite(file, &changes[i].byte, 1, (off_t)changes[i].at), 1);
		assert_int_equal(share_states_read(file, &states), -EBADMSG);
		assert_int_equal(states.states[2], -1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_nonsense),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
