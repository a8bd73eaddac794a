#include "base/jail.h"

#include <assert.h>
#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

enum { CAPABILITIES_MAX = 63 };

/* The first Landlock that handles all of files (truncation came last), TCP, and scopes. */
enum { JAIL_ABI_FILES = 3, JAIL_ABI_TCP = 4, JAIL_ABI_SCOPES = 6 };

int jail_environment(void)
{
	for (char **entry = environ; entry && *entry; entry++)
		explicit_bzero(*entry, strlen(*entry));
	return clearenv() == 0 ? 0 : -ENOMEM;
}

int jail_descriptors(int first_unused)
{
	return syscall(SYS_close_range, first_unused, ~0U, 0) < 0 ? -errno : 0;
}

int jail_limit(int resource, uint64_t max)
{
	struct rlimit old, new = {.rlim_cur = max, .rlim_max = max};

	if (getrlimit((__rlimit_resource_t)resource, &old) < 0)
		return -errno;
	if (old.rlim_max < max)
		new.rlim_cur = new.rlim_max = old.rlim_max;
	return setrlimit((__rlimit_resource_t)resource, &new) < 0 ? -errno : 0;
}

int jail_limits(unsigned max_files, uint64_t file_bytes)
{
	int r = jail_limit(RLIMIT_CORE, 0);

	r = r < 0 ? r : jail_limit(RLIMIT_NOFILE, max_files);
	if (r == 0 && file_bytes > 0)
		r = jail_limit(RLIMIT_FSIZE, file_bytes);
	return r;
}

/* Also for root: what is not in the bounding set does not come back with exec. */
static int drop_capabilities(void)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {0};

	for (unsigned long cap = 0; cap <= CAPABILITIES_MAX; cap++)
		if (prctl(PR_CAPBSET_READ, cap) == 1 && prctl(PR_CAPBSET_DROP, cap) < 0 && errno != EPERM)
			return -errno;
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 && errno != EINVAL)
		return -errno;
	return syscall(SYS_capset, &head, none) < 0 ? -errno : 0;
}

int jail_privileges(bool may_be_read)
{
	int r = drop_capabilities();

	if (r < 0)
		return r;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	return prctl(PR_SET_DUMPABLE, may_be_read ? 1 : 0) < 0 ? -errno : 0;
}

static void describe(struct jail_host *row, bool is_available, const char *detail)
{
	row->is_available = is_available;
	snprintf(row->detail, sizeof(row->detail), "%s", detail);
}

static void describe_landlock(struct jail_host *row, int abi, int abi_wanted, const char *linux_wanted)
{
	row->is_available = abi >= abi_wanted;
	if (row->is_available)
		snprintf(row->detail, sizeof(row->detail), "Landlock ABI %d", abi);
	else if (abi > 0)
		snprintf(row->detail, sizeof(row->detail), "Landlock ABI %d: needs Linux %s", abi,
			 linux_wanted);
	else
		snprintf(row->detail, sizeof(row->detail), "no Landlock");
}

void jail_host(struct jail_host ret[JAIL_STEPS])
{
	static const char *const names[] = {
		[JAIL_ENVIRONMENT] = "environment",
		[JAIL_DESCRIPTORS] = "descriptors",
		[JAIL_LIMITS] = "limits",
		[JAIL_PRIVILEGES] = "privileges",
		[JAIL_FILES] = "files",
		[JAIL_CONNECTIONS] = "connections",
		[JAIL_SIGNALS] = "signals",
		[JAIL_CALLS] = "calls",
	};
	static_assert(array_len(names) == JAIL_STEPS, "name every step");
	int abi = jail_landlock_abi();

	for (int i = 0; i < JAIL_STEPS; i++)
		ret[i] = (struct jail_host){.name = names[i], .is_available = true, .detail = "always"};
	describe_landlock(&ret[JAIL_FILES], abi, JAIL_ABI_FILES, "6.2");
	describe_landlock(&ret[JAIL_CONNECTIONS], abi, JAIL_ABI_TCP, "6.7");
	describe_landlock(&ret[JAIL_SIGNALS], abi, JAIL_ABI_SCOPES, "6.12");
	describe(&ret[JAIL_CALLS], jail_has_seccomp(), jail_has_seccomp() ? "seccomp" : "no seccomp filters");
}

bool jail_lacks(char ret[JAIL_TEXT_BYTES])
{
	struct jail_host host[JAIL_STEPS];
	size_t len = 0;

	jail_host(host);
	ret[0] = '\0';
	for (int i = 0; i < JAIL_STEPS && len < JAIL_TEXT_BYTES; i++)
		if (!host[i].is_available)
			len += (size_t)snprintf(ret + len, JAIL_TEXT_BYTES - len, "%s%s", len > 0 ? ", " : "",
						host[i].name);
	return len > 0;
}
