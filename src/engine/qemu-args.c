/*
 * Why it looks as it does
 *   Memory is a file without a name (memfd). Machines that start from one saved state map the same sealed
 * one privately: what they write stays with them, and neither a write nor a discard can change what the next
 * one starts from.
 *   q35 under TCG: the smaller `microvm` machine hangs at random in timer calibration there.
 *   thread=single: with a thread for each processor, QEMU's emulation (7.2 and 8.0 at least) lets one run
 * code that another is just patching. Linux patches itself all the time, and dies of it about once in some
 * hundred starts ("int3: 0000"). Waiting costs a seventh of the start; on a machine without KVM it is the
 * price of one that stays up. la57=off: with five-level paging the guest's kernel cannot read its own strings
 * under emulation (mount points show as "xxx"). svm=off: -cpu max under TCG would offer nested virtualisation
 * to the guest. erms=off: with it, Linux copies and clears memory by instructions that are emulated byte by
 * byte; without, eight bytes at a time, three times faster. smap=off, pku=off: what guards the guest's kernel
 * from the guest's programs on each copy, and costs two ends of a translated block there. No balloon, no
 * network, no USB, no display, no keyboard controller, no default devices. Every PCI device has its place by
 * number and every port exists, connected or not: a saved machine fits only the same set. A port that is not
 * connected has a null behind it, which swallows what the guest writes. Disks come as descriptor sets,
 * sockets as descriptors: QEMU opens no path of the user's. ioeventfd=off: where the processor is emulated,
 * what the guest writes to a port goes to its socket on that thread, instead of waking another one first,
 * which is a third of each round trip. tb-size: QEMU takes a large share of the host's memory for translated
 * code unless told otherwise.
 */
#include "engine/qemu-args.h"

#include "engine/engine-fds.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define TCG_CPU "max,svm=off,la57=off,erms=off,smap=off,pku=off"

enum { ARGS_MAX = 160, TB_SIZE_MIB = 64 };

/* Slots on the root bus. 0 and 31 are the chipset's. */
enum { BASE_SLOT = 2, DISK_SLOT, RNG_SLOT, PORTS_SLOT, LAYER_SLOT };

enum { CONTROL_PORT = 1, NETWORK_PORT, SHARE_PORT };

struct qemu_args {
	char *items[ARGS_MAX + 1];
	size_t count;
	bool is_full;
};

static void add(struct qemu_args *args, const char *format, ...) printf_like(2, 3);

static void add(struct qemu_args *args, const char *format, ...)
{
	va_list values;

	va_start(values, format);
	if (args->count == ARGS_MAX || vasprintf(&args->items[args->count], format, values) < 0)
		args->is_full = true;
	else
		args->count++;
	va_end(values);
}

static void add_machine(struct qemu_args *args, const struct engine_machine *machine)
{
	add(args, "-nodefaults");
	add(args, "-no-user-config");
	add(args, "-display");
	add(args, "none");
	add(args, "-no-reboot");
	add(args, "-name");
	add(args, "sbx,debug-threads=on");
	add(args, "-sandbox");
	add(args, "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny");
	add(args, "-machine");
	add(args, "q35,memory-backend=ram,usb=off,smbus=off,sata=off,vmport=off,i8042=off,"
		  "suppress-vmdesc=on");
	add(args, "-accel");
	if (machine->accel == ENGINE_KVM)
		add(args, "kvm");
	else
		add(args, "tcg,thread=single,tb-size=%d", TB_SIZE_MIB);
	add(args, "-cpu");
	add(args, machine->accel == ENGINE_KVM ? "host,svm=off,vmx=off" : TCG_CPU);
	add(args, "-smp");
	add(args, "%u", machine->cpus);
	add(args, "-m");
	add(args, "%llu", (unsigned long long)machine->memory_mib);
	add(args, "-object");
	add(args, "memory-backend-file,id=ram,size=%lluM,mem-path=/proc/self/fd/%d,share=%s",
	    (unsigned long long)machine->memory_mib, ENGINE_MEMORY_FD,
	    machine->memory == ENGINE_MEMORY_SHARED ? "off" : "on");
}

/* The state of the devices comes later, over a descriptor; the memory is there already. */
static void add_restore(struct qemu_args *args)
{
	add(args, "-incoming");
	add(args, "defer");
	add(args, "-S");
	add(args, "-global");
	add(args, "migration.send-configuration=off");
}

static void add_kernel(struct qemu_args *args, const struct engine_machine *machine, bool has_layer)
{
	/*
	 * Mitigations and hardening guard the guest from itself, and cost most where every instruction is
	 * emulated; of the security modules those stay that programs use (agents sandbox their commands with
	 * Landlock). QEMU before 8.0 leaves nonsense in the flags after cmpxchg16b, which the guest's kernel
	 * uses whenever it allocates memory: an interrupt right behind it brings them back, and the kernel
	 * dies of a double fault. It does without where it is told to; programs, which may ask for x86-64-v2,
	 * still find the instruction.
	 */
	static const char emulated[] =
		" mitigations=off clearcpuid=cx16 init_on_alloc=0 hardened_usercopy=off"
		" randomize_kstack_offset=off lsm=landlock,yama";

	add(args, "-kernel");
	add(args, "/proc/self/fd/%d", ENGINE_KERNEL_FD);
	add(args, "-initrd");
	add(args, "/proc/self/fd/%d", ENGINE_INITRAMFS_FD);
	add(args, "-append");
	/* The kernel puts what it does not know into the environment of the guest program. */
	add(args, "console=ttyS0 quiet panic=-1%s%s", machine->accel == ENGINE_TCG ? emulated : "",
	    has_layer ? " SBX_LAYER=1" : "");
}

/* What the guest frees or fills with zeros becomes a hole. Writes go to the host's page cache, flushes to the
 * disk. */
static void add_disk(struct qemu_args *args, const char *name, int slot, int fd, bool is_read_only)
{
	const char *how = is_read_only ? "read-only=on" : "read-only=off,discard=unmap,detect-zeroes=unmap";

	add(args, "-add-fd");
	add(args, "fd=%d,set=%d", fd, fd);
	add(args, "-blockdev");
	add(args,
	    "driver=file,node-name=%s-file,filename=/dev/fdset/"
	    "%d,read-only=%s,discard=unmap,locking=off,aio=threads",
	    name, fd, is_read_only ? "on" : "off");
	add(args, "-blockdev");
	add(args, "driver=raw,node-name=%s,file=%s-file,%s", name, name, how);
	add(args, "-device");
	add(args, "virtio-blk-pci,addr=%d,drive=%s,serial=%s", slot, name, name);
}

static void add_socket(struct qemu_args *args, const char *name, int fd)
{
	add(args, "-chardev");
	add(args, "socket,id=%s,fd=%d", name, fd);
}

static void add_port(struct qemu_args *args, const char *name, int number, int fd, bool is_connected)
{
	if (is_connected) {
		add_socket(args, name, fd);
	} else {
		add(args, "-chardev");
		add(args, "null,id=%s", name);
	}
	add(args, "-device");
	add(args, "virtserialport,bus=ports.0,nr=%d,name=sbx.%s,chardev=%s", number, name, name);
}

static void add_devices(struct qemu_args *args, const struct engine_machine *machine, const bool *connected)
{
	const char *told = machine->accel == ENGINE_TCG ? ",ioeventfd=off" : "";
	char name[16];

	add_disk(args, "base", BASE_SLOT, ENGINE_BASE_FD, true);
	add_disk(args, "disk", DISK_SLOT, ENGINE_DISK_FD, false);
	if (connected[ENGINE_LAYER_FD])
		add_disk(args, "layer", LAYER_SLOT, ENGINE_LAYER_FD, true);
	add(args, "-object");
	add(args, "rng-builtin,id=entropy");
	add(args, "-device");
	add(args, "virtio-rng-pci,addr=%d,rng=entropy", RNG_SLOT);
	add(args, "-device");
	add(args, "vmgenid,guid=auto");
	add_socket(args, "console", ENGINE_CONSOLE_FD);
	add(args, "-device");
	add(args, "isa-serial,chardev=console");
	add_socket(args, "qmp", ENGINE_QMP_FD);
	add(args, "-mon");
	add(args, "chardev=qmp,mode=control");
	add(args, "-device");
	add(args, "virtio-serial-pci,id=ports,addr=%d,max_ports=31%s", PORTS_SLOT, told);
	add_port(args, "control", CONTROL_PORT, ENGINE_CONTROL_FD, connected[ENGINE_CONTROL_FD]);
	add_port(args, "network", NETWORK_PORT, ENGINE_NETWORK_FD, connected[ENGINE_NETWORK_FD]);
	for (int i = 0; i < ENGINE_SHARES; i++) {
		snprintf(name, sizeof(name), "share.%d", i);
		add_port(args, name, SHARE_PORT + i, ENGINE_SHARE_FD + i, connected[ENGINE_SHARE_FD + i]);
	}
}

int qemu_args_new(const char *program, const struct engine_machine *machine, const bool *connected,
		  struct qemu_args **ret)
{
	struct qemu_args *args = calloc(1, sizeof(*args));

	if (!args)
		return -ENOMEM;
	add(args, "%s", program);
	add_machine(args, machine);
	if (machine->is_restored)
		add_restore(args);
	else
		add_kernel(args, machine, connected[ENGINE_LAYER_FD]);
	add_devices(args, machine, connected);
	if (args->is_full) {
		qemu_args_free(args);
		return -ENOMEM;
	}
	*ret = args;
	return 0;
}

void qemu_args_free(struct qemu_args *args)
{
	for (size_t i = 0; args && i < args->count; i++)
		free(args->items[i]);
	free(args);
}

char *const *qemu_args_list(const struct qemu_args *args)
{
	return args->items;
}
