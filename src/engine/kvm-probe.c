#include "engine/kvm-probe.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>

enum { PAGE_BYTES = 4096, LIMIT_US = 50000, CODE_AT = 0x1000, TURNS = 50000000 };

/* mov ecx, 50000000; dec ecx; jnz -4; hlt, with 32-bit operands in 16-bit code */
static const unsigned char code[] = {0x66, 0xb9, 0x80, 0xf0, 0xfa, 0x02, 0x66, 0x49, 0x75, 0xfc, 0xf4};

static struct kvm_run *volatile run_page; /* for the signal handler alone */

static void on_alarm(int number)
{
	(void)number;
	run_page->immediate_exit = 1;
}

static int start_alarm(void)
{
	struct sigaction action = {.sa_handler = on_alarm};
	struct itimerval limit = {.it_value = {.tv_usec = LIMIT_US}};

	if (sigaction(SIGALRM, &action, NULL) < 0 || setitimer(ITIMER_REAL, &limit, NULL) < 0)
		return -errno;
	return 0;
}

static int make_cpu(int kvm, int vm, int *ret)
{
	void *memory = mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct kvm_userspace_memory_region region = {
		.guest_phys_addr = CODE_AT, .memory_size = PAGE_BYTES, .userspace_addr = (uintptr_t)memory};
	struct kvm_regs regs = {.rip = CODE_AT, .rflags = 2, .rcx = TURNS}; /* nothing run, nothing counted */
	struct kvm_sregs sregs;
	void *page;
	int cpu, size;

	if (memory == MAP_FAILED)
		return -errno;
	memcpy(memory, code, sizeof(code));
	if (ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region) < 0)
		return -errno;
	cpu = ioctl(vm, KVM_CREATE_VCPU, 0);
	if (cpu < 0)
		return -errno;
	*ret = cpu;
	size = ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	page = size < 0 ? MAP_FAILED : mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, cpu, 0);
	if (page == MAP_FAILED || ioctl(cpu, KVM_GET_SREGS, &sregs) < 0)
		return -errno;
	run_page = page;
	sregs.cs.base = sregs.cs.selector = 0;
	if (ioctl(cpu, KVM_SET_SREGS, &sregs) < 0 || ioctl(cpu, KVM_SET_REGS, &regs) < 0)
		return -errno;
	return 0;
}

static int count(int cpu, double *ret)
{
	struct timespec begin, end;
	struct kvm_regs regs;
	double seconds;
	int r = start_alarm();

	if (r < 0)
		return r;
	clock_gettime(CLOCK_MONOTONIC, &begin);
	r = ioctl(cpu, KVM_RUN, 0);
	if (r < 0 && errno != EINTR)
		return -errno;
	/* Stopped by anything but its own end or the alarm, the code did not run as it should. */
	if (r == 0 && run_page->exit_reason != KVM_EXIT_HLT)
		return -EIO;
	clock_gettime(CLOCK_MONOTONIC, &end);
	if (ioctl(cpu, KVM_GET_REGS, &regs) < 0)
		return -errno;
	seconds = (double)(end.tv_sec - begin.tv_sec) + (double)(end.tv_nsec - begin.tv_nsec) / 1e9;
	*ret = (double)(TURNS - (regs.rcx & 0xffffffff)) / seconds / 1e6;
	return 0;
}

int kvm_probe_measure(double *ret_million_turns)
{
	autofd int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	autofd int vm = kvm < 0 ? -1 : ioctl(kvm, KVM_CREATE_VM, 0);
	autofd int cpu = -1;
	int r;

	if (kvm < 0 || vm < 0)
		return -errno;
	r = make_cpu(kvm, vm, &cpu);
	return r < 0 ? r : count(cpu, ret_million_turns);
}
