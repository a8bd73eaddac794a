/* Each step is taken in a child of its own, which then tries what it must not be able to do any more. */
#include "base/jail.h"

#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <netinet/in.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

/* In the child 0 is success; a failed expectation ends it with its line. */
#define expect(condition)                          \
	do {                                       \
		if (!(condition))                  \
			_exit(__LINE__ % 250 + 1); \
	} while (0)

static int in_child(void (*run)(void))
{
	int status = 0;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		run();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void environment(void)
{
	setenv("SECRET", "x", 1);
	expect(jail_environment() == 0);
	expect(!getenv("SECRET") && !getenv("PATH"));
}

static void descriptors(void)
{
	int fd = fcntl(0, F_DUPFD, 50);

	expect(fd >= 50 && jail_descriptors(3) == 0);
	expect(fcntl(fd, F_GETFD) < 0 && errno == EBADF);
	expect(fcntl(2, F_GETFD) >= 0);
}

static void limits(void)
{
	struct rlimit core;

	expect(jail_limits(16, 4096) == 0);
	expect(getrlimit(RLIMIT_CORE, &core) == 0 && core.rlim_max == 0);
	expect(fcntl(0, F_DUPFD, 20) < 0);
	signal(SIGXFSZ, SIG_IGN);
	int fd = open("/tmp", O_TMPFILE | O_RDWR, 0600);
	expect(fd >= 0 && ftruncate(fd, 8192) < 0 && errno == EFBIG);
}

static void privileges(void)
{
	char line[256];
	unsigned seen = 0;

	expect(jail_privileges(false) == 0);
	FILE *status = fopen("/proc/thread-self/status", "r");
	while (status && fgets(line, sizeof(line), status)) {
		if (strncmp(line, "Cap", 3) == 0) {
			unsigned long long caps = strtoull(strchr(line, ':') + 1, NULL, 16);

			/* An ordinary user cannot empty the bounding set; without new privileges it is of no
			 * use. */
			expect(caps == 0 || (strncmp(line, "CapBnd", 6) == 0 && geteuid() != 0));
			seen++;
		}
		if (strncmp(line, "NoNewPrivs:\t1", 13) == 0)
			seen += 100;
	}
	expect(!status || seen == 105);
}

static void files(void)
{
	struct jail_rule rules[] = {{.path = "/usr", .access = JAIL_RUN},
				    {.path = "/no/such", .access = JAIL_READ}};
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = 9, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	int sock = socket(AF_INET, SOCK_STREAM, 0);

	expect(jail_files(rules, array_len(rules)) == 0);
	expect(open("/usr/bin/env", O_RDONLY) >= 0);
	expect(open("/etc/passwd", O_RDONLY) < 0 && errno == EACCES);
	expect(open("/usr/new", O_WRONLY | O_CREAT, 0600) < 0);
	expect(open("/tmp", O_TMPFILE | O_RDWR, 0600) < 0);
	if (jail_landlock_abi() >= 4)
		expect(connect(sock, (struct sockaddr *)&to, sizeof(to)) < 0 && errno == EACCES);
	if (jail_landlock_abi() >= 6)
		expect(kill(getppid(), 0) < 0 && errno == EPERM);
}

/* A memfd takes no rule and needs none; the rest of a role whose business is TCP is closed all the same. */
static void tcp(void)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = 9, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	struct jail_rule rules[] = {{.fd = memfd_create("m", MFD_CLOEXEC), .access = JAIL_READ}};
	int sock = socket(AF_INET, SOCK_STREAM, 0);
	char path[32];

	expect(jail_privileges(false) == 0 && jail_files_but_tcp(rules, array_len(rules)) == 0);
	expect(connect(sock, (struct sockaddr *)&to, sizeof(to)) == 0 || errno != EACCES);
	expect(open("/etc/passwd", O_RDONLY) < 0 && errno == EACCES);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", rules[0].fd);
	expect(open(path, O_RDONLY) >= 0);
}

/* What may be read may not be run; what may be written takes no device nodes. */
static void execute(void)
{
	struct jail_rule rules[] = {{.path = "/", .access = JAIL_READ},
				    {.path = "/tmp", .access = JAIL_WRITE}};

	expect(jail_privileges(false) == 0 && jail_files(rules, array_len(rules)) == 0);
	expect(open("/etc/passwd", O_RDONLY) >= 0);
	expect(execl("/bin/true", "true", NULL) < 0 && errno == EACCES);
	expect(mknod("/tmp/sbx-test-node", S_IFCHR | 0600, 0) < 0);
}

static void everything(void)
{
	static const int calls[] = {SCMP_SYS(exit_group), SCMP_SYS(munmap), SCMP_SYS(madvise),
				    SCMP_SYS(sigaltstack)};
	struct jail_rule rules[] = {{.path = "/usr", .access = JAIL_READ}};

	expect(jail_environment() == 0 && jail_descriptors(3) == 0 && jail_limits(16, 4096) == 0);
	expect(jail_limit(RLIMIT_MEMLOCK, 0) == 0 && jail_privileges(false) == 0);
	expect(jail_files(rules, array_len(rules)) != -EINVAL);
	expect(jail_calls_only(calls, array_len(calls)) == 0);
}

/* A host without Landlock, as far as this process can see. */
static void no_landlock(void)
{
	struct jail_host host[JAIL_STEPS];
	char lacks[JAIL_TEXT_BYTES];
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);

	expect(seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(landlock_create_ruleset), 0) == 0);
	expect(seccomp_load(filter) == 0);
	seccomp_release(filter);
	expect(jail_landlock_abi() == 0);
	expect(jail_files(NULL, 0) == -EOPNOTSUPP);
	expect(jail_lacks(lacks) && strcmp(lacks, "files, connections, signals") == 0);
	jail_host(host);
	expect(!host[JAIL_FILES].is_available && strcmp(host[JAIL_FILES].detail, "no Landlock") == 0);
	expect(host[JAIL_CALLS].is_available);
}

/* Nor one without filters: seccomp() itself is gone. */
static void no_seccomp(void)
{
	static const int calls[] = {SCMP_SYS(exit_group)};
	struct jail_host host[JAIL_STEPS];
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);

	expect(seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(seccomp), 0) == 0);
	expect(seccomp_rule_add(filter, SCMP_ACT_ERRNO(EINVAL), SCMP_SYS(prctl), 1,
				SCMP_A0(SCMP_CMP_EQ, PR_SET_SECCOMP, 0)) == 0);
	expect(seccomp_load(filter) == 0);
	seccomp_release(filter);
	seccomp_reset(NULL, 0);
	jail_host(host);
	expect(!host[JAIL_CALLS].is_available);
	expect(jail_calls_only(calls, array_len(calls)) == -EOPNOTSUPP);
	expect(jail_calls_except() == -EOPNOTSUPP);
}

static void calls_only(void)
{
	static const int calls[] = {SCMP_SYS(exit_group), SCMP_SYS(write)};

	expect(jail_calls_only(calls, array_len(calls)) == 0);
	expect(syscall(SYS_clone3, NULL, 0) < 0 && errno == ENOSYS);
	expect(syscall(SYS_getppid) > 0); /* kills */
}

/* With an argument of 0 only; kills where it is not. */
static void narrow_call(void)
{
	static const int calls[] = {SCMP_SYS(exit_group), SCMP_SYS(write)};
	static const struct jail_narrow narrow[] = {{.call = SCMP_SYS(fanotify_mark), .argument = 4}};

	expect(jail_calls_only_and(calls, array_len(calls), narrow, array_len(narrow)) == 0);
	expect(syscall(SYS_fanotify_mark, -1, 0, 0, -1, NULL) < 0 && (errno == EBADF || errno == EINVAL));
	syscall(SYS_fanotify_mark, -1, 0, 0, -1, "/");
}

/* Starting processes and threads is not refused, only name spaces are. */
static int in_child_of_child(void)
{
	int status = 1;
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	return waitpid(pid, &status, 0) == pid ? status : 1;
}

/* A filter that is blind to another calling convention is none. */
static void foreign_call(void)
{
	static const int calls[] = {SCMP_SYS(write)};

	expect(jail_calls_only(calls, array_len(calls)) == 0);
	syscall(0x40000000 | SYS_getppid); /* x32; kills */
}

static void calls_except(void)
{
	expect(jail_privileges(true) == 0);
	expect(jail_calls_except() == 0);
	expect(syscall(SYS_clone3, NULL, 0) < 0 && errno == ENOSYS);
	expect(syscall(SYS_io_uring_setup, 1, NULL) < 0 && errno == ENOSYS);
	expect(ptrace(PTRACE_TRACEME, 0, 0, 0) < 0 && errno == EPERM);
	expect(socket(AF_INET, SOCK_STREAM, 0) < 0 && errno == EPERM);
	expect(socket(AF_NETLINK, SOCK_RAW, 0) < 0 && errno == EPERM);
	expect(socket(AF_UNIX, SOCK_STREAM, 0) >= 0);
	expect(syscall(SYS_bpf, 0, NULL, 0) < 0 && errno == EPERM);
	expect(syscall(SYS_unshare, CLONE_NEWUSER) < 0 && errno == EPERM);
	expect(syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0) < 0 && errno == EPERM);
	expect(ioctl(-1, TIOCSTI, "x") < 0 && errno == EPERM);
	expect(ioctl(-1, TIOCSTI | 1UL << 32, "x") < 0 && errno == EPERM);
	expect(ioctl(-1, TCGETS, NULL) < 0 && errno == EBADF);
	expect(in_child_of_child() == 0);
}

static void calls_except_also(void)
{
	static const int more[] = {SCMP_SYS(socket), SCMP_SYS(connect)};

	expect(jail_privileges(true) == 0);
	expect(jail_calls_except_also(more, array_len(more)) == 0);
	expect(socket(AF_UNIX, SOCK_STREAM, 0) < 0 && errno == EPERM);
	expect(connect(-1, NULL, 0) < 0 && errno == EPERM);
}

static void calls_only_inet(void)
{
	static const int calls[] = {SCMP_SYS(exit_group), SCMP_SYS(exit), SCMP_SYS(close)};

	expect(jail_privileges(false) == 0 && jail_calls_only_inet(calls, array_len(calls)) == 0);
	expect(socket(AF_INET, SOCK_STREAM, 0) >= 0 && socket(AF_INET6, SOCK_DGRAM, 0) >= 0);
	(void)socket(AF_UNIX, SOCK_STREAM, 0);
}

static void test_environment(void **state)
{
	(void)state;
	assert_int_equal(in_child(environment), 0);
}

static void test_descriptors(void **state)
{
	(void)state;
	assert_int_equal(in_child(descriptors), 0);
}

static void test_limits(void **state)
{
	(void)state;
	assert_int_equal(in_child(limits), 0);
}

static void test_privileges(void **state)
{
	(void)state;
	assert_int_equal(in_child(privileges), 0);
}

static void test_files(void **state)
{
	(void)state;
	if (jail_landlock_abi() == 0)
		skip();
	assert_int_equal(in_child(files), 0);
}

static void test_calls_only(void **state)
{
	int status;

	(void)state;
	status = in_child(calls_only);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGSYS);
}

static void test_narrow_call(void **state)
{
	int status;

	(void)state;
	status = in_child(narrow_call);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGSYS);
}

static void test_calls_only_inet(void **state)
{
	int status;

	(void)state;
	if (!jail_has_seccomp())
		skip();
	status = in_child(calls_only_inet);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
}

static void test_calls_except(void **state)
{
	(void)state;
	assert_int_equal(in_child(calls_except), 0);
}

static void test_calls_except_also(void **state)
{
	(void)state;
	assert_int_equal(in_child(calls_except_also), 0);
}

static void test_foreign_call(void **state)
{
	int status;

	(void)state;
	status = in_child(foreign_call);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGSYS);
}

static void test_no_landlock(void **state)
{
	(void)state;
	assert_int_equal(in_child(no_landlock), 0);
}

static void test_no_seccomp(void **state)
{
	(void)state;
	assert_int_equal(in_child(no_seccomp), 0);
}

static void test_tcp(void **state)
{
	(void)state;
	if (jail_landlock_abi() == 0)
		skip();
	assert_int_equal(in_child(tcp), 0);
}

static void test_execute(void **state)
{
	(void)state;
	if (jail_landlock_abi() == 0)
		skip();
	assert_int_equal(in_child(execute), 0);
}

/* A role must not start noticeably later for its jail. */
static void test_is_quick(void **state)
{
	struct timespec begin, end;

	(void)state;
	clock_gettime(CLOCK_MONOTONIC, &begin);
	assert_int_equal(in_child(everything), 0);
	clock_gettime(CLOCK_MONOTONIC, &end);
	print_message("# all steps: %ld us\n",
		      (end.tv_sec - begin.tv_sec) * 1000000 + (end.tv_nsec - begin.tv_nsec) / 1000);
}

static void test_host(void **state)
{
	struct jail_host host[JAIL_STEPS];
	char lacks[JAIL_TEXT_BYTES];

	(void)state;
	jail_host(host);
	for (int i = 0; i < JAIL_STEPS; i++) {
		assert_non_null(host[i].name);
		assert_true(host[i].detail[0] != '\0');
	}
	assert_int_equal(host[JAIL_FILES].is_available, jail_landlock_abi() >= 3);
	assert_int_equal(jail_lacks(lacks), lacks[0] != '\0');
	assert_int_equal(strstr(lacks, "signals") != NULL, jail_landlock_abi() < 6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_environment),
		cmocka_unit_test(test_descriptors),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_privileges),
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_calls_only),
		cmocka_unit_test(test_calls_only_inet),
		cmocka_unit_test(test_narrow_call),
		cmocka_unit_test(test_calls_except),
		cmocka_unit_test(test_host),
		cmocka_unit_test(test_calls_except_also),
		cmocka_unit_test(test_foreign_call),
		cmocka_unit_test(test_tcp),
		cmocka_unit_test(test_no_landlock),
		cmocka_unit_test(test_no_seccomp),
		cmocka_unit_test(test_execute),
		cmocka_unit_test(test_is_quick),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
