#include "guest/resume.h"
#include "guest/ring.h"
#include "guest/strings.h"
#include "guest/users.h"

#include "unit.h"

#include <errno.h>
#include <stdio.h>

static const char passwd[] = "root:x:0:0:root:/root:/bin/bash\n"
			     "broken line\n"
			     "agent:x:1000:1000::/home/agent:/bin/bash\n"
			     "too:many:1:2:3:4:5:6:7\n"
			     "42:x:77:77::/:\n"
			     "none:x:4294967295:1::/:/bin/sh\n"
			     "last:x:9:9:::";
static const char group[] =
	"root:x:0:\nagent:x:1000:\ndocker:x:102:root,agent\nsudo:x:27:agent\nxagent:x:5:agents\n";

static int find(const char *who, struct identity *ret, struct err *err)
{
	return users_find(slice_text(passwd), slice_text(group), who, ret, err);
}

static void test_users(void **state)
{
	struct identity user;
	struct err err = {.text = ""};

	(void)state;
	assert_int_equal(find("agent", &user, NULL), 0);
	assert_int_equal(user.uid, 1000);
	assert_string_equal(user.home, "/home/agent");
	assert_int_equal(user.n_groups, 3);
	assert_int_equal(find("1000", &user, NULL), 0);
	assert_string_equal(user.name, "agent");
	assert_int_equal(find("agent:docker", &user, NULL), 0);
	assert_int_equal(user.gid, 102);
	assert_int_equal(find("agent:7", &user, NULL), 0);
	assert_int_equal(user.gid, 7);
	assert_int_equal(find("42", &user, NULL), 0);
	assert_int_equal(user.uid, 77);
	assert_int_equal(find("555", &user, NULL), 0);
	assert_int_equal(user.uid, 555);
	assert_int_equal(find("last", &user, NULL), 0);
	assert_string_equal(user.home, "/");
	assert_string_equal(user.shell, "/bin/sh");
	assert_int_equal(find("nobody", &user, &err), -ENOENT);
	assert_non_null(strstr(err.text, "nobody"));
	assert_int_equal(find("agent:none", &user, &err), -ENOENT);
	assert_int_equal(find("4294967295", &user, &err), -ENOENT);
	assert_int_equal(find("99999999999", &user, &err), -ENOENT);
	assert_int_equal(find("", &user, &err), -ENOENT);
}

static void ring_is(const struct ring *ring, const char *expected)
{
	struct slice parts[2];

	ring_read(ring, parts);
	assert_int_equal(parts[0].len + parts[1].len, strlen(expected));
	assert_memory_equal(parts[0].ptr, expected, parts[0].len);
	assert_memory_equal(parts[1].ptr, expected + parts[0].len, parts[1].len);
}

static void test_ring(void **state)
{
	static char big[RING_BYTES];
	struct ring ring = {0};
	struct slice parts[2];

	(void)state;
	ring_is(&ring, "");
	assert_int_equal(ring_write(&ring, slice_text("one\n")), 0);
	assert_int_equal(ring_write(&ring, slice_text("two\n")), 0);
	ring_is(&ring, "one\ntwo\n");
	memset(big, 'x', sizeof(big));
	big[sizeof(big) - 5] = '\n';
	assert_int_equal(ring_write(&ring, slice_of(big, sizeof(big))), 0);
	ring_is(&ring, "xxxx");
	for (size_t i = 0; i < RING_BYTES; i += 7)
		assert_int_equal(ring_write(&ring, slice_text("abcdef\n")), 0);
	ring_read(&ring, parts);
	assert_true(parts[0].len + parts[1].len <= RING_BYTES);
	assert_true(parts[0].len + parts[1].len > RING_BYTES - 16);
	assert_memory_equal(parts[0].len ? parts[0].ptr : parts[1].ptr, "abcdef\n", 7);
	ring_done(&ring);
}

static void test_strings(void **state)
{
	auto_strings struct strings env = {0};

	(void)state;
	assert_int_equal(strings_set(&env, slice_text("A=1")), 0);
	assert_int_equal(strings_set(&env, slice_text("AB=2")), 0);
	assert_int_equal(strings_set(&env, slice_text("A=3")), 0);
	assert_int_equal(env.count, 2);
	assert_string_equal(strings_value(&env, "A"), "3");
	assert_string_equal(strings_value(&env, "AB"), "2");
	assert_null(strings_value(&env, "B"));
	assert_int_equal(strings_set(&env, slice_text("=x")), -EINVAL);
	assert_int_equal(strings_set(&env, slice_text("nothing")), -EINVAL);
	assert_int_equal(strings_add(&env, slice_of("a\0b", 3)), -EINVAL);
}

static void test_strings_have_limits(void **state)
{
	static char block[1 << 20];
	auto_strings struct strings bytes = {0};
	auto_strings struct strings many = {0};
	int r = 0;

	(void)state;
	memset(block, 'x', sizeof(block));
	assert_int_equal(strings_add(&bytes, slice_of(block, sizeof(block))), 0);
	assert_int_equal(strings_add(&bytes, slice_of(block, sizeof(block))), -E2BIG);
	for (size_t i = 0; i < STRINGS_MAX && r == 0; i++)
		r = strings_add(&many, slice_text(""));
	assert_int_equal(r, 0);
	assert_int_equal(strings_add(&many, slice_text("")), -E2BIG);
}

static void test_resume(void **state)
{
	struct resume resume;

	(void)state;
	assert_int_equal(
		resume_parse(
			slice_text("time 1700000000.000000005\nhostname my-box.1\n"
				   "machine-id 0123456789abcdef0123456789abcdef\nentropy 00ff\nnew thing\n"),
			&resume),
		0);
	assert_int_equal(resume.time.tv_sec, 1700000000);
	assert_int_equal(resume.time.tv_nsec, 5);
	assert_string_equal(resume.hostname, "my-box.1");
	assert_string_equal(resume.machine_id, "0123456789abcdef0123456789abcdef");
	assert_int_equal(resume.entropy_len, 2);
	assert_int_equal(resume.entropy[1], 0xff);
}

static void test_resume_refuses(void **state)
{
	static const char *const bad[] = {
		"time now\n",
		"time -1.000000000\n",
		"time 1.9999999999\n",
		"hostname a b\n",
		"hostname a;reboot\n",
		"hostname \n",
		"machine-id 12\n",
		"machine-id 0123456789abcdef0123456789abcdeg\n",
		"entropy 0\n",
		"entropy zz\n",
		"word\n",
	};
	struct resume resume;
	char name[128] = "hostname ";

	(void)state;
	for (size_t i = 0; i < array_len(bad); i++)
		if (resume_parse(slice_text(bad[i]), &resume) != -EINVAL)
			fail_msg("taken: %s", bad[i]);
	memset(name + 9, 'a', 66);
	assert_int_equal(resume_parse(slice_text(name), &resume), -EINVAL);
	assert_int_equal(resume_parse(slice_of("time 1\0.0", 9), &resume), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_users),   cmocka_unit_test(test_ring),
		cmocka_unit_test(test_strings), cmocka_unit_test(test_strings_have_limits),
		cmocka_unit_test(test_resume),  cmocka_unit_test(test_resume_refuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
