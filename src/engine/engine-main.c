/*
 * sbx-engine: gives up what a virtual machine does not need, then becomes QEMU. Whatever breaks out of the
 * guest into QEMU finds itself with these descriptors, the system's libraries, and nothing else.
 */
#include "base/jail.h"
#include "base/log.h"
#include "base/text.h"
#include "engine/engine-fds.h"
#include "engine/kvm-probe.h"
#include "engine/qemu-args.h"

#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

enum { FILES_MAX = 1024, PROBE_FILES_MAX = 16 };

/* Beside the guest's memory: QEMU itself, its libraries, the arenas and stacks of its threads. */
static const uint64_t address_bytes_beside = 16ULL << 30;

/* The smallest bound on the size of a written file: for the state of the devices. */
static const uint64_t file_bytes_least = 64ULL << 20;

/*
 * QEMU reads its libraries, its modules and firmware, and what tells how many processors there are. What it
 * may execute is itself, once: the loader of its libraries is part of that.
 */
static int jail_qemu_files(const char *program, enum engine_accel accel)
{
	const struct jail_rule rules[] = {
		{.path = program, .access = JAIL_RUN},
		{.path = "/lib64/ld-linux-x86-64.so.2", .access = JAIL_RUN},
		{.path = "/usr", .access = JAIL_READ},
		{.path = "/lib", .access = JAIL_READ},
		{.path = "/lib64", .access = JAIL_READ},
		{.path = "/etc/ld.so.cache", .access = JAIL_READ},
		{.path = "/sys/devices/system", .access = JAIL_READ},
		{.path = "/dev/urandom", .access = JAIL_READ},
		{.fd = ENGINE_KERNEL_FD, .access = JAIL_READ},
		{.fd = ENGINE_INITRAMFS_FD, .access = JAIL_READ},
		{.path = "/dev/kvm", .access = JAIL_DEVICE},
	};

	return jail_files(rules, accel == ENGINE_KVM ? array_len(rules) : array_len(rules) - 1);
}

/* The disk has its size from the start, so no file that QEMU writes need ever be larger. */
static int limit_qemu(const struct engine_machine *machine)
{
	uint64_t memory_bytes = machine->memory_mib << 20;
	uint64_t file_bytes = file_bytes_least;
	struct stat disk;
	int r;

	if (fstat(ENGINE_DISK_FD, &disk) < 0)
		return -errno;
	if ((uint64_t)disk.st_size > file_bytes)
		file_bytes = (uint64_t)disk.st_size;
	r = jail_limits(FILES_MAX, file_bytes);
	r = r < 0 ? r : jail_limit(RLIMIT_MEMLOCK, 0);
	r = r < 0 ? r : jail_limit(RLIMIT_MSGQUEUE, 0);
	return r < 0 ? r : jail_limit(RLIMIT_AS, memory_bytes + address_bytes_beside);
}

/*
 * All its sockets are connected already. Without these it cannot reach what listens at a path, such as the
 * user's session bus, ssh-agent or Docker, from which Landlock does not keep it.
 */
static int jail_qemu_calls(void)
{
	static const int refused[] = {
		SCMP_SYS(socket),  SCMP_SYS(socketpair),       SCMP_SYS(connect),
		SCMP_SYS(bind),    SCMP_SYS(listen),           SCMP_SYS(accept),
		SCMP_SYS(accept4), SCMP_SYS(process_vm_readv), SCMP_SYS(process_vm_writev)};

	return jail_calls_except_also(refused, array_len(refused));
}

/* A host that lacks a step gets a line in the log; QEMU runs with the others. */
static int pass_over(int r)
{
	return r == -EOPNOTSUPP ? 0 : r;
}

static int give_up(const char *program, const struct engine_machine *machine)
{
	char lacks[JAIL_TEXT_BYTES];
	int r = jail_environment();

	if (jail_lacks(lacks))
		log_line("this host cannot deny QEMU everything that it should; missing: %s", lacks);
	r = r < 0 ? r : jail_descriptors(ENGINE_FDS);
	r = r < 0 ? r : limit_qemu(machine);
	r = r < 0 ? r : jail_privileges(/* may_be_read= */ true);
	r = r < 0 ? r : pass_over(jail_qemu_files(program, machine->accel));
	return r < 0 ? r : pass_over(jail_qemu_calls());
}

/* QEMU takes what it was handed: descriptors must outlive the exec. */
static void find_connected(bool connected[ENGINE_FDS])
{
	for (int fd = 0; fd < ENGINE_FDS; fd++)
		connected[fd] = fcntl(fd, F_GETFD) >= 0;
}

static int parse(char **argv, struct engine_machine *ret)
{
	uint64_t cpus;

	if (strcmp(argv[1], "kvm") == 0)
		ret->accel = ENGINE_KVM;
	else if (strcmp(argv[1], "tcg") == 0)
		ret->accel = ENGINE_TCG;
	else
		return -EINVAL;
	if (text_parse_number(argv[2], 1, 1024, &cpus) < 0)
		return -EINVAL;
	ret->cpus = (unsigned)cpus;
	ret->memory = strcmp(argv[4], "shared") == 0 ? ENGINE_MEMORY_SHARED : ENGINE_MEMORY_OWN;
	ret->is_restored = strcmp(argv[5], "restore") == 0;
	return text_parse_number(argv[3], 1, 1 << 30, &ret->memory_mib);
}

static int become_qemu(const struct engine_machine *machine, struct err *err)
{
	bool connected[ENGINE_FDS];
	struct qemu_args *args;
	const char *program;
	int r = engine_find(&program, err);

	if (r < 0)
		return r;
	find_connected(connected);
	r = qemu_args_new(program, machine, connected, &args);
	if (r < 0)
		return err_errno(err, r, "cannot make QEMU's command line");
	r = give_up(program, machine);
	if (r < 0)
		return err_errno(err, r, "cannot give up the rights that QEMU does not need");
	execv(program, qemu_args_list(args));
	return err_errno(err, -errno, "cannot start QEMU");
}

/* The device, memory, an alarm, and a line to say. */
static int give_up_for_probe(void)
{
	static const struct jail_rule rules[] = {{.path = "/dev/kvm", .access = JAIL_DEVICE}};
	static const int calls[] = {SCMP_SYS(openat),        SCMP_SYS(close),        SCMP_SYS(ioctl),
				    SCMP_SYS(mmap),          SCMP_SYS(munmap),       SCMP_SYS(brk),
				    SCMP_SYS(rt_sigaction),  SCMP_SYS(rt_sigreturn), SCMP_SYS(setitimer),
				    SCMP_SYS(clock_gettime), SCMP_SYS(newfstatat),   SCMP_SYS(fstat),
				    SCMP_SYS(write),         SCMP_SYS(exit_group)};
	int r = jail_environment();

	r = r < 0 ? r : jail_descriptors(STDERR_FILENO + 1);
	r = r < 0 ? r : jail_limits(PROBE_FILES_MAX, 0);
	r = r < 0 ? r : jail_privileges(/* may_be_read= */ false);
	r = r < 0 ? r : pass_over(jail_files(rules, array_len(rules)));
	return r < 0 ? r : pass_over(jail_calls_only(calls, array_len(calls)));
}

static int probe(void)
{
	double turns = 0;
	int r = give_up_for_probe();

	r = r < 0 ? r : kvm_probe_measure(&turns);
	printf("%d %f\n", r, turns);
	return 0;
}

int main(int argc, char **argv)
{
	struct engine_machine machine = {0};
	struct err err = {.text = "this program is started by sbx"};

	log_open("sbx-engine");
	if (argc == 2 && strcmp(argv[1], "probe") == 0)
		return probe();
	if (argc == 6 && parse(argv, &machine) == 0)
		(void)become_qemu(&machine, &err);
	log_line("%s", err.text);
	return EXIT_FAILURE;
}
