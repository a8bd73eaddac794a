/*
 * A machine of the real engine with a tiny init in place of the guest program: has it exactly the devices
 * that the design names, does it run under every step of the jail, and does it end with its parent?
 */
#include "base/clock.h"
#include "base/fd.h"
#include "base/jail.h"
#include "engine/engine.h"
#include "engine/qmp.h"
#include "image/cpio.h"

#include "../unit/unit.h"
#include "place.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

enum { BOOT_LIMIT_MS = 120000, ANSWER_LIMIT_MS = 10000, DISK_BYTES = 64 << 20, FILE_MAX_BYTES = 64 << 20 };

struct machine {
	struct engine_files files;
	int qmp, console, control;
	struct buf boot; /* what the console said up to READY */
	struct buf qmp_in;
	pid_t pid;
};

static int template_file(const char *name)
{
	const char *folder = getenv("SBX_TEST_TEMPLATE");
	char path[PATH_ROOM_BYTES];

	snprintf(path, sizeof(path), "%s/%s", folder ? folder : "", name);
	return open(path, O_RDONLY | O_CLOEXEC);
}

static void pair(int *ours, int *theirs)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	*ours = fds[0];
	*theirs = fds[1];
}

/* In memory, as a file that has no place in any folder. */
static int make_initramfs(void)
{
	auto_buf struct buf init = {0}, archive = {0};
	autofd int program = open(getenv("SBX_TEST_INIT"), O_RDONLY | O_CLOEXEC);
	autofd int modules = template_file("modules.cpio");
	int fd = memfd_create("initramfs", MFD_CLOEXEC);

	assert_int_equal(fd_read_all(program, FILE_MAX_BYTES, &init), 0);
	assert_int_equal(cpio_add_dir(&archive, "dev", 0755), 0);
	assert_int_equal(cpio_add_char_device(&archive, "dev/console", 0600, 5, 1), 0);
	assert_int_equal(cpio_add_dir(&archive, "proc", 0755), 0);
	assert_int_equal(cpio_add_dir(&archive, "sys", 0755), 0);
	assert_int_equal(cpio_add_file(&archive, "init", 0755, buf_slice(&init)), 0);
	assert_int_equal(cpio_end(&archive), 0);
	assert_int_equal(fd_read_all(modules, FILE_MAX_BYTES, &archive), 0);
	assert_int_equal(fd_write_all(fd, buf_slice(&archive)), 0);
	return fd;
}

static void until(int fd, struct buf *into, const char *token, int limit_ms)
{
	int64_t end = clock_ms() + limit_ms;

	while (!into->data || !strstr(buf_text(into), token)) {
		struct pollfd ready = {.fd = fd, .events = POLLIN};
		int left = (int)(end - clock_ms());

		if (left <= 0 || poll(&ready, 1, left) <= 0 || buf_read_fd(into, fd, 65536) <= 0) {
			print_error("waited in vain for '%s', got: %s\n", token, buf_text(into));
			fail();
		}
	}
}

static void start(struct machine *machine)
{
	const char *accel = getenv("SBX_TEST_ACCEL");
	const struct engine_machine kind = {.accel = accel && strcmp(accel, "kvm") == 0 ? ENGINE_KVM
											: ENGINE_TCG,
					    .cpus = 2,
					    .memory_mib = 512};
	struct engine_files *files = &machine->files;
	struct err err = {0};
	int r;

	*machine = (struct machine){.files = {.kernel = template_file("kernel"),
					      .initramfs = make_initramfs(),
					      .base = template_file("base.img"),
					      .layer = -1,
					      .disk = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600),
					      .network = -1,
					      .errors = STDERR_FILENO}};
	assert_int_equal(ftruncate(files->disk, DISK_BYTES), 0);
	files->memory = memfd_create("ram", MFD_CLOEXEC);
	assert_int_equal(ftruncate(files->memory, (off_t)kind.memory_mib << 20), 0);
	pair(&machine->qmp, &files->qmp);
	pair(&machine->console, &files->console);
	pair(&machine->control, &files->control);
	for (int i = 0; i < ENGINE_SHARES; i++)
		files->share[i] = -1;
	r = engine_start(&kind, files, &machine->pid, &err);
	if (r < 0)
		fail_msg("%s", err.text);
	close(files->qmp);
	close(files->console);
	close(files->control);
}

static int set_up(void **state)
{
	static struct machine machine;
	int64_t begin = clock_ms();

	start(&machine);
	until(machine.console, &machine.boot, "READY", BOOT_LIMIT_MS);
	print_message("# start to READY: %lld ms\n", (long long)(clock_ms() - begin));
	*state = &machine;
	return 0;
}

static int tear_down(void **state)
{
	struct machine *machine = *state;

	if (machine->pid > 0) {
		kill(machine->pid, SIGKILL);
		waitpid(machine->pid, NULL, 0);
	}
	buf_done(&machine->boot);
	buf_done(&machine->qmp_in);
	return 0;
}

static bool said(const struct machine *machine, const char *line)
{
	return strstr(buf_text(&machine->boot), line) != NULL;
}

static unsigned count_of(const struct machine *machine, const char *word)
{
	unsigned count = 0;

	for (const char *at = buf_text(&machine->boot); (at = strstr(at, word)); at++)
		count++;
	return count;
}

static void test_devices(void **state)
{
	const struct machine *machine = *state;
	char line[64];

	assert_true(said(machine, "sbx.control\r\n"));
	assert_true(said(machine, "sbx.network\r\n"));
	for (int i = 0; i < ENGINE_SHARES; i++) {
		snprintf(line, sizeof(line), "p%d sbx.share.%d\r\n", i + 3, i);
		assert_true(said(machine, line));
	}
	assert_int_equal(count_of(machine, "PORT "), 2 + ENGINE_SHARES);
	assert_true(said(machine, "DISK vda 1\r\n"));
	assert_true(said(machine, "DISK vdb 0\r\n"));
	assert_true(said(machine, "RNG virtio_rng.0\r\n"));
	assert_true(said(machine, "NET lo "));
	assert_int_equal(count_of(machine, "NET "), 1);
	/* two disks, entropy, ports; host bridge, ISA bridge, and nothing else */
	assert_int_equal(count_of(machine, "PCI "), 4 + 2);
	assert_true(said(machine, "QEMUVGID"));
	assert_false(said(machine, "PNP0303")); /* no keyboard controller */
	assert_false(said(machine, "MODULE "));
}

static void test_disks(void **state)
{
	const struct machine *machine = *state;
	char sector[64] = "";
	struct stat info;

	assert_true(said(machine, "BASE-WRITE refused"));
	assert_true(said(machine, "DISK-WRITE 512"));
	assert_true(said(machine, "DISK-ZERO 1048576"));
	assert_true(said(machine, "DISK-DISCARD 0"));
	assert_true(said(machine, "DISK-SYNC 0"));
	assert_int_equal(pread(machine->files.disk, sector, sizeof(sector), 0), sizeof(sector));
	assert_string_equal(sector, "written by the guest");
	assert_int_equal(fstat(machine->files.disk, &info), 0);
	assert_true(info.st_blocks * 512 < 1 << 20); /* the zeros took no room */
}

static void test_control_port(void **state)
{
	const struct machine *machine = *state;
	auto_buf struct buf answer = {0};

	assert_int_equal(fd_write_all(machine->control, slice_text("over the port\n")), 0);
	until(machine->control, &answer, "over the port\n", ANSWER_LIMIT_MS);
}

static void read_proc(pid_t pid, const char *name, struct buf *ret)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	autofd int fd = open(path, O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(fd_read_all(fd, FILE_MAX_BYTES, ret), 0);
}

static void test_jail(void **state)
{
	const struct machine *machine = *state;
	auto_buf struct buf status = {0}, environment = {0}, limits = {0};

	read_proc(machine->pid, "status", &status);
	assert_non_null(strstr(buf_text(&status), "Seccomp:\t2"));
	assert_non_null(strstr(buf_text(&status), "NoNewPrivs:\t1"));
	assert_non_null(strstr(buf_text(&status), "CapPrm:\t0000000000000000"));
	assert_non_null(strstr(buf_text(&status), "CapEff:\t0000000000000000"));
	read_proc(machine->pid, "environ", &environment);
	assert_int_equal(environment.len, 0);
	read_proc(machine->pid, "limits", &limits);
	assert_non_null(strstr(buf_text(&limits), "Max core file size        0                    0 "));
	assert_non_null(strstr(buf_text(&limits), "Max locked memory         0                    0 "));
}

/* Saving a machine's memory needs this, by whoever started the engine. */
static void test_memory_is_readable(void **state)
{
	const struct machine *machine = *state;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/mem", machine->pid);
	autofd int memory = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(memory >= 0);
	snprintf(path, sizeof(path), "/proc/%d/pagemap", machine->pid);
	autofd int pages = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(pages >= 0);
}

static enum qmp_kind next_message(int fd, struct buf *in, struct qmp_message *ret)
{
	const char *end;

	until(fd, in, "\n", ANSWER_LIMIT_MS);
	end = strchr(buf_text(in), '\n');
	assert_int_equal(qmp_parse(slice_of(buf_text(in), (size_t)(end - buf_text(in))), ret), PARSED_OK);
	buf_drop(in, (size_t)(end - buf_text(in)) + 1);
	return ret->kind;
}

static enum qmp_kind ask(struct machine *machine, const char *command, const char *arguments,
			 struct qmp_message *ret)
{
	auto_buf struct buf text = {0};
	json_t *json = arguments ? json_loads(arguments, 0, NULL) : NULL;

	assert_int_equal(!json, !arguments);
	assert_int_equal(json ? qmp_format_with(&text, command, json) : qmp_format(&text, command), 0);
	json_decref(json);
	assert_int_equal(fd_write_all(machine->qmp, buf_slice(&text)), 0);
	while (next_message(machine->qmp, &machine->qmp_in, ret) == QMP_EVENT)
		;
	return ret->kind;
}

static void test_qmp(void **state)
{
	struct machine *machine = *state;
	struct qmp_message message;

	assert_int_equal(next_message(machine->qmp, &machine->qmp_in, &message), QMP_GREETING);
	assert_int_equal(ask(machine, "qmp_capabilities", NULL, &message), QMP_RETURN);
	assert_int_equal(ask(machine, "no-such-command", NULL, &message), QMP_ERROR);
	assert_non_null(strstr(message.text, "no-such-command"));
	assert_int_equal(ask(machine, "stop", NULL, &message), QMP_RETURN);
	assert_int_equal(ask(machine, "cont", NULL, &message), QMP_RETURN);
}

/* QMP has QEMU try on our behalf what a guest that took it over would try. */
static void test_is_locked_in(void **state)
{
	static const struct {
		const char *command, *arguments, *refusal;
	} tries[] = {
		{"blockdev-add",
		 "{\"driver\": \"file\", \"node-name\": \"x\", \"filename\": \"/etc/passwd\", \"read-only\": "
		 "true}",
		 "Permission denied"},
		{"pmemsave", "{\"val\": 0, \"size\": 4096, \"filename\": \"/tmp/sbx-test-escape\"}",
		 "Permission denied"},
		{"object-add",
		 "{\"qom-type\": \"memory-backend-file\", \"id\": \"x\", \"size\": 4096, \"mem-path\": "
		 "\"/tmp\"}",
		 "Permission denied"},
		{"chardev-add",
		 "{\"id\": \"x\", \"backend\": {\"type\": \"socket\", \"data\": {\"server\": false, \"addr\":"
		 " {\"type\": \"unix\", \"data\": {\"path\": \"/tmp/x\"}}}}}",
		 "Operation not permitted"},
		{"chardev-add",
		 "{\"id\": \"x\", \"backend\": {\"type\": \"socket\", \"data\": {\"server\": false, \"addr\":"
		 " {\"type\": \"inet\", \"data\": {\"host\": \"127.0.0.1\", \"port\": \"9\"}}}}}",
		 "Operation not permitted"},
		{"chardev-add",
		 "{\"id\": \"x\", \"backend\": {\"type\": \"file\", \"data\": {\"out\": "
		 "\"/tmp/sbx-test-escape\"}}}",
		 "Permission denied"},
	};
	struct machine *machine = *state;
	struct qmp_message message;

	if (jail_landlock_abi() == 0)
		skip();
	for (size_t i = 0; i < array_len(tries); i++) {
		assert_int_equal(ask(machine, tries[i].command, tries[i].arguments, &message), QMP_ERROR);
		print_message("# %s: %s\n", tries[i].command, message.text);
		assert_non_null(strstr(message.text, tries[i].refusal));
	}
	assert_int_equal(access("/tmp/sbx-test-escape", F_OK), -1);
}

static void test_quit(void **state)
{
	struct machine *machine = *state;
	struct qmp_message message;
	int status = -1;

	assert_int_equal(ask(machine, "quit", NULL, &message), QMP_RETURN);
	assert_int_equal(waitpid(machine->pid, &status, 0), machine->pid);
	assert_int_equal(status, 0);
	machine->pid = 0;
}

/* The engine must not outlive whoever started it, however that ends. */
static void test_ends_with_parent(void **state)
{
	struct machine machine;
	int report[2];
	pid_t parent, engine = 0;

	(void)state;
	assert_int_equal(pipe2(report, O_CLOEXEC), 0);
	parent = fork();
	assert_true(parent >= 0);
	if (parent == 0) {
		auto_buf struct buf greeting = {0};

		start(&machine);
		until(machine.qmp, &greeting, "QMP", ANSWER_LIMIT_MS); /* it is QEMU by now */
		if (write(report[1], &machine.pid, sizeof(machine.pid)) != sizeof(machine.pid))
			_exit(1);
		pause();
	}
	assert_int_equal(read(report[0], &engine, sizeof(engine)), sizeof(engine));
	kill(parent, SIGKILL);
	waitpid(parent, NULL, 0);
	for (int i = 0; i < 500 && kill(engine, 0) == 0; i++) {
		auto_buf struct buf stat = {0};

		/* Where nobody reaps orphans it stays as a zombie. */
		read_proc(engine, "stat", &stat);
		if (strstr(buf_text(&stat), ") Z "))
			return;
		nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
	}
	assert_true(kill(engine, 0) < 0 && errno == ESRCH);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_devices),
		cmocka_unit_test(test_disks),
		cmocka_unit_test(test_control_port),
		cmocka_unit_test(test_jail),
		cmocka_unit_test(test_memory_is_readable),
		cmocka_unit_test(test_qmp),
		cmocka_unit_test(test_is_locked_in),
		cmocka_unit_test(test_quit),
		cmocka_unit_test(test_ends_with_parent),
	};
	autofd int kernel = template_file("kernel");
	const char *qemu;

	if (kernel < 0 || engine_find(&qemu, NULL) < 0) {
		printf("1..0 # SKIP needs QEMU and the base template\n");
		return 0;
	}
	place_engine();
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
