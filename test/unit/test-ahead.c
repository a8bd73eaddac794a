/* The reading threads find no folder here and come back at once; what they would ask is asked by the test. */
#include "guest/ahead.h"

#include "base/mem.h"

#include "unit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

enum { DIR_NODE = 7, ME = 1, TURN_MS = 10000, LISTING_BYTES = 1024 };

struct seen {
	uint64_t answered, asked; /* the last ones */
	uint64_t node;
	unsigned n_answered, n_asked;
};

static void on_answer(void *owner, uint64_t unique, struct slice bytes)
{
	struct seen *seen = owner;
	struct fuse_entry_out entry;

	assert_int_equal(bytes.len, sizeof(entry));
	memcpy(&entry, bytes.ptr, sizeof(entry));
	seen->answered = unique;
	seen->node = entry.nodeid;
	seen->n_answered++;
}

static void on_ask(void *owner, uint64_t unique)
{
	struct seen *seen = owner;

	seen->asked = unique;
	seen->n_asked++;
}

static struct ahead *make(struct seen *seen)
{
	static const struct ahead_ops ops = {.answer = on_answer, .ask = on_ask};
	struct ahead *ahead;

	assert_int_equal(ahead_new(open("/", O_PATH | O_DIRECTORY), &ops, seen, &ahead), 0);
	return ahead;
}

static bool ask(struct ahead *ahead, uint32_t opcode, uint32_t pid, uint64_t unique, const char *name)
{
	const struct fuse_in_header head = {
		.opcode = opcode, .nodeid = DIR_NODE, .pid = pid, .unique = unique};
	char message[128];

	memcpy(message, &head, sizeof(head));
	strcpy(message + sizeof(head), name);
	return ahead_asked(ahead, &head, slice_of(message, sizeof(head) + strlen(name) + 1));
}

static void answer_look_up(struct ahead *ahead, uint64_t node)
{
	const struct fuse_in_header head = {.opcode = FUSE_LOOKUP, .nodeid = DIR_NODE, .pid = ME};
	struct {
		struct fuse_out_header head;
		struct fuse_entry_out entry;
	} message = {.entry.nodeid = node};

	ahead_answered(ahead, &head, (char *)&message, sizeof(message));
}

/* Has the folder read, and lists it in the name of the thread that does. Returns that thread. */
static uint32_t begin(struct ahead *ahead)
{
	struct pollfd wait = {.fd = ahead_fd(ahead), .events = POLLIN};
	DIR *tasks = opendir("/proc/self/task");
	const struct dirent *entry;
	uint32_t found = 0;

	assert_false(ask(ahead, FUSE_LOOKUP, ME, 1, "first"));
	answer_look_up(ahead, 11);
	assert_false(ask(ahead, FUSE_LOOKUP, ME, 2, "second"));
	assert_int_equal(poll(&wait, 1, TURN_MS), 1);
	while (found == 0 && (entry = readdir(tasks))) {
		uint32_t tid = (uint32_t)strtoul(entry->d_name, NULL, 10);

		assert_false(ask(ahead, FUSE_READDIRPLUS, tid, 3, ""));
		if (tid != 0 && ask(ahead, FUSE_LOOKUP, ME, 4, "wanted"))
			found = tid;
	}
	closedir(tasks);
	assert_int_not_equal(found, 0);
	return found;
}

static size_t add(char *into, const char *name, uint64_t node)
{
	struct fuse_direntplus plus = {.entry_out.nodeid = node, .dirent.namelen = (uint32_t)strlen(name)};

	memcpy(into, &plus, sizeof(plus));
	memcpy(into + offsetof(struct fuse_direntplus, dirent.name), name, strlen(name));
	return FUSE_DIRENT_ALIGN(offsetof(struct fuse_direntplus, dirent.name) + strlen(name));
}

static uint64_t node_of(const char *at)
{
	struct fuse_direntplus plus;

	memcpy(&plus, at, sizeof(plus));
	return plus.entry_out.nodeid;
}

static void answer_listing(struct ahead *ahead, uint32_t reader, char *message, size_t len)
{
	const struct fuse_in_header head = {.opcode = FUSE_READDIRPLUS, .nodeid = DIR_NODE, .pid = reader};

	ahead_answered(ahead, &head, message, len);
}

/* A look-up of a listed name is answered from the listing, which then leaves that name to it. */
static void test_listed(void **state)
{
	struct seen seen = {.asked = 0};
	struct ahead *ahead = make(&seen);
	uint32_t reader = begin(ahead);
	char message[LISTING_BYTES] = {0};
	size_t first = sizeof(struct fuse_out_header), second = first + add(message + first, "other", 21);
	size_t len = second + add(message + second, "wanted", 22);

	(void)state;
	assert_true(ask(ahead, FUSE_LOOKUP, ME, 5, "absent"));
	answer_listing(ahead, reader, message, len);
	assert_int_equal(node_of(message + first), 21);
	assert_int_equal(node_of(message + second), 0);
	/* The kernel has the listing now, and may wait for any look-up. */
	assert_false(ask(ahead, FUSE_LOOKUP, ME, 6, "other"));
	assert_int_equal(seen.n_answered + seen.n_asked, 0);
	assert_int_equal(ahead_turn(ahead), 0);
	assert_int_equal(seen.n_answered, 1);
	assert_int_equal(seen.answered, 4);
	assert_int_equal(seen.node, 22);
	assert_int_equal(seen.n_asked, 1);
	assert_int_equal(seen.asked, 5);
}

/* Whatever the listing says, who waits is let go. */
static void test_broken_listings(void **state)
{
	const uint32_t lengths[] = {0, 1, 0x7fffffff, 0xffffffff};

	(void)state;
	for (size_t i = 0; i < array_len(lengths); i++) {
		struct seen seen = {.asked = 0};
		struct ahead *ahead = make(&seen);
		uint32_t reader = begin(ahead);
		struct fuse_direntplus plus = {.entry_out.nodeid = 22, .dirent.namelen = lengths[i]};
		char message[sizeof(struct fuse_out_header) + sizeof(plus)] = {0};

		memcpy(message + sizeof(struct fuse_out_header), &plus, sizeof(plus));
		answer_listing(ahead, reader, message, sizeof(message));
		assert_int_equal(ahead_turn(ahead), 0);
		assert_int_equal(seen.n_answered, 0);
		assert_int_equal(seen.asked, 4);
	}
}

/* The host that fails the listing lets go too. */
static void test_failed_listing(void **state)
{
	struct seen seen = {.asked = 0};
	struct ahead *ahead = make(&seen);
	uint32_t reader = begin(ahead);
	struct fuse_out_header failed = {.len = sizeof(failed), .error = -EIO};

	(void)state;
	answer_listing(ahead, reader, (char *)&failed, sizeof(failed));
	assert_int_equal(ahead_turn(ahead), 0);
	assert_int_equal(seen.asked, 4);
}

/* Where nothing was found, nothing is read: who makes files looks for names that are not there. */
static void test_absent_names(void **state)
{
	struct seen seen = {.asked = 0};
	struct ahead *ahead = make(&seen);
	struct pollfd wait = {.fd = ahead_fd(ahead), .events = POLLIN};

	(void)state;
	for (uint64_t i = 0; i < 100; i++) {
		assert_false(ask(ahead, FUSE_LOOKUP, ME, i, "absent"));
		answer_look_up(ahead, 0);
	}
	assert_int_equal(poll(&wait, 1, 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_listed),
		cmocka_unit_test(test_broken_listings),
		cmocka_unit_test(test_failed_listing),
		cmocka_unit_test(test_absent_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
