#include "base/jail.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

static void release(scmp_filter_ctx *filter)
{
	if (*filter)
		seccomp_release(*filter);
}
#define auto_filter __attribute__((cleanup(release)))

/* A kernel that has not heard of a call needs no rule for it. */
static int add(scmp_filter_ctx filter, uint32_t action, int call)
{
	int r = call < 0 ? 0 : seccomp_rule_add(filter, action, call, 0);

	return r == -EEXIST || r == -EDOM ? 0 : r;
}

static int add_all(scmp_filter_ctx filter, uint32_t action, const int *calls, size_t count)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < count; i++)
		r = add(filter, action, calls[i]);
	return r;
}

/* A filter sees neither what a ring does nor clone3's flags. */
static int hide_newest(scmp_filter_ctx filter)
{
	static const int hidden[] = {SCMP_SYS(clone3), SCMP_SYS(io_uring_setup), SCMP_SYS(io_uring_enter),
				     SCMP_SYS(io_uring_register)};

	return add_all(filter, SCMP_ACT_ERRNO(ENOSYS), hidden, array_len(hidden));
}

bool jail_has_seccomp(void)
{
	uint32_t action = SECCOMP_RET_KILL_PROCESS;

	return syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0;
}

static int load(scmp_filter_ctx filter)
{
	/* A call by another calling convention has other numbers. */
	int r = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);

	/* For every thread that there is already. */
	r = r < 0 ? r : seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
	/* A tree instead of a chain: this runs before each call of a busy process. */
	r = r < 0 ? r : seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	return r < 0 ? r : seccomp_load(filter);
}

/* libseccomp makes no filter at all where the kernel takes none. */
static int start(scmp_filter_ctx filter)
{
	if (!jail_has_seccomp())
		return -EOPNOTSUPP;
	return filter ? hide_newest(filter) : -ENOMEM;
}

static int add_inet(scmp_filter_ctx filter)
{
	static const unsigned long families[] = {AF_INET, AF_INET6};
	int r = 0;

	for (size_t i = 0; r == 0 && i < array_len(families); i++)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1,
				     SCMP_A0_64(SCMP_CMP_EQ, families[i]));
	return r;
}

static int only(const int *calls, size_t count, const struct jail_narrow *narrow, size_t n_narrow,
		bool may_inet)
{
	auto_filter scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
	int r = start(filter);

	r = r < 0 ? r : add_all(filter, SCMP_ACT_ALLOW, calls, count);
	for (size_t i = 0; r == 0 && i < n_narrow; i++)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, narrow[i].call, 1,
				     SCMP_CMP64(narrow[i].argument, SCMP_CMP_EQ, 0));
	r = r < 0 || !may_inet ? r : add_inet(filter);
	return r < 0 ? r : load(filter);
}

int jail_calls_only(const int *calls, size_t count)
{
	return only(calls, count, NULL, 0, /* may_inet= */ false);
}

int jail_calls_only_and(const int *calls, size_t count, const struct jail_narrow *narrow, size_t n_narrow)
{
	return only(calls, count, narrow, n_narrow, /* may_inet= */ false);
}

int jail_calls_only_inet(const int *calls, size_t count)
{
	return only(calls, count, NULL, 0, /* may_inet= */ true);
}

static const int refused_calls[] = {
	SCMP_SYS(ptrace),
	SCMP_SYS(process_madvise),
	SCMP_SYS(kcmp),
	SCMP_SYS(pidfd_getfd),
	SCMP_SYS(mount),
	SCMP_SYS(umount2),
	SCMP_SYS(move_mount),
	SCMP_SYS(open_tree),
	SCMP_SYS(fsopen),
	SCMP_SYS(fsmount),
	SCMP_SYS(fsconfig),
	SCMP_SYS(fspick),
	SCMP_SYS(mount_setattr),
	SCMP_SYS(pivot_root),
	SCMP_SYS(chroot),
	SCMP_SYS(unshare),
	SCMP_SYS(setns),
	SCMP_SYS(keyctl),
	SCMP_SYS(add_key),
	SCMP_SYS(request_key),
	SCMP_SYS(bpf),
	SCMP_SYS(userfaultfd),
	SCMP_SYS(perf_event_open),
	SCMP_SYS(kexec_load),
	SCMP_SYS(kexec_file_load),
	SCMP_SYS(init_module),
	SCMP_SYS(finit_module),
	SCMP_SYS(delete_module),
	SCMP_SYS(reboot),
	SCMP_SYS(swapon),
	SCMP_SYS(swapoff),
	SCMP_SYS(acct),
	SCMP_SYS(quotactl),
	SCMP_SYS(nfsservctl),
	SCMP_SYS(open_by_handle_at),
	SCMP_SYS(name_to_handle_at),
	SCMP_SYS(lookup_dcookie),
	SCMP_SYS(personality),
	SCMP_SYS(iopl),
	SCMP_SYS(ioperm),
	SCMP_SYS(settimeofday),
	SCMP_SYS(clock_settime),
	SCMP_SYS(adjtimex),
	SCMP_SYS(clock_adjtime),
	SCMP_SYS(sethostname),
	SCMP_SYS(setdomainname),
	SCMP_SYS(syslog),
	SCMP_SYS(vhangup),
	SCMP_SYS(uselib),
	SCMP_SYS(modify_ldt),
	SCMP_SYS(fanotify_init),
	SCMP_SYS(migrate_pages),
	SCMP_SYS(move_pages),
	SCMP_SYS(quotactl_fd),
	SCMP_SYS(memfd_secret),
	SCMP_SYS(_sysctl),
};

/* unshare() by another name. */
static int refuse_namespaces(scmp_filter_ctx filter)
{
	static const unsigned long flags[] = {CLONE_NEWNS,   CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC,
					      CLONE_NEWUSER, CLONE_NEWPID,    CLONE_NEWNET};
	int r = 0;

	for (size_t i = 0; r == 0 && i < array_len(flags); i++)
		r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 1,
				     SCMP_A0_64(SCMP_CMP_MASKED_EQ, flags[i], flags[i]));
	return r;
}

/* Both put keystrokes into a terminal that somebody else reads. The kernel looks at 32 bits of the number. */
static int refuse_typing(scmp_filter_ctx filter)
{
	static const unsigned long numbers[] = {TIOCSTI, TIOCLINUX};
	int r = 0;

	for (size_t i = 0; r == 0 && i < array_len(numbers); i++)
		r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(ioctl), 1,
				     SCMP_A1_64(SCMP_CMP_MASKED_EQ, UINT32_MAX, numbers[i]));
	return r;
}

static bool is_in(int call, const int *calls, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (calls[i] == call)
			return true;
	return false;
}

static int refuse(const int *left, size_t n_left, const int *also, size_t n_also)
{
	auto_filter scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
	int r = start(filter);

	for (size_t i = 0; r == 0 && i < array_len(refused_calls); i++)
		if (!is_in(refused_calls[i], left, n_left))
			r = add(filter, SCMP_ACT_ERRNO(EPERM), refused_calls[i]);
	r = r < 0 ? r : refuse_namespaces(filter);
	r = r < 0 ? r : refuse_typing(filter);
	if (r == 0 && !is_in(SCMP_SYS(socket), left, n_left))
		r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(socket), 1,
				     SCMP_A0_64(SCMP_CMP_NE, AF_UNIX, 0));
	/* A call that is named here is refused whatever its arguments. */
	r = r < 0 ? r : add_all(filter, SCMP_ACT_ERRNO(EPERM), also, n_also);
	return r < 0 ? r : load(filter);
}

int jail_calls_except_also(const int *calls, size_t count)
{
	return refuse(NULL, 0, calls, count);
}

int jail_calls_except_but(const int *calls, size_t count)
{
	return refuse(calls, count, NULL, 0);
}

int jail_calls_except(void)
{
	return refuse(NULL, 0, NULL, 0);
}
