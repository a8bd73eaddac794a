/*
 * Landlock. The headers of older systems know fewer rights than the running kernel; what is newer than they
 * are is named here, from the kernel's documentation (userspace-api/landlock).
 */
#include "base/jail.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#define FS_EXECUTE    (1ULL << 0)
#define FS_WRITE_FILE (1ULL << 1)
#define FS_READ_FILE  (1ULL << 2)
#define FS_READ_DIR   (1ULL << 3)
#define FS_MAKE_CHAR  (1ULL << 6)
#define FS_MAKE_BLOCK (1ULL << 11)
#define FS_ALL_V1     ((1ULL << 13) - 1)
#define FS_REFER      (1ULL << 13) /* ABI 2 */
#define FS_TRUNCATE   (1ULL << 14) /* ABI 3 */
#define FS_IOCTL_DEV  (1ULL << 15) /* ABI 5 */
#define NET_TCP_ALL   3ULL         /* bind and connect, ABI 4 */
#define SCOPE_ALL     3ULL         /* abstract Unix sockets and signals, ABI 6 */

struct ruleset {
	uint64_t files, net, scopes;
};

int jail_landlock_abi(void)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

	return abi < 0 ? 0 : (int)abi;
}

static uint64_t all_files(int abi)
{
	return FS_ALL_V1 | (abi >= 2 ? FS_REFER : 0) | (abi >= 3 ? FS_TRUNCATE : 0) |
	       (abi >= 5 ? FS_IOCTL_DEV : 0);
}

static uint64_t rights(unsigned access, int abi, bool is_dir)
{
	uint64_t files = FS_EXECUTE | FS_WRITE_FILE | FS_READ_FILE | FS_TRUNCATE | FS_IOCTL_DEV;
	uint64_t granted = 0;

	if (access & JAIL_READ)
		granted |= FS_READ_FILE | FS_READ_DIR;
	if (access & JAIL_RUN)
		granted |= FS_READ_FILE | FS_READ_DIR | FS_EXECUTE;
	if (access & JAIL_WRITE)
		granted |= all_files(abi) & ~(FS_EXECUTE | FS_MAKE_CHAR | FS_MAKE_BLOCK | FS_IOCTL_DEV);
	if (access & JAIL_DEVICE)
		granted |= FS_READ_FILE | FS_WRITE_FILE | FS_IOCTL_DEV;
	return granted & all_files(abi) & (is_dir ? ~0ULL : files);
}

static int add_rule(int ruleset, const struct jail_rule *rule, int abi)
{
	autofd int opened = rule->path ? open(rule->path, O_PATH | O_CLOEXEC) : -1;
	struct landlock_path_beneath_attr beneath = {.parent_fd = rule->path ? opened : rule->fd};
	struct stat info;

	if (rule->path && opened < 0)
		return errno == ENOENT || errno == EACCES ? 0 : -errno;
	if (fstat(beneath.parent_fd, &info) < 0)
		return -errno;
	beneath.allowed_access = rights(rule->access, abi, S_ISDIR(info.st_mode));
	if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &beneath, 0) == 0)
		return 0;
	/* What has no place in any folder, such as a memfd, is not restricted and takes no rule. */
	return errno == EBADFD ? 0 : -errno;
}

static int restrict_files(const struct jail_rule *rules, size_t count, bool may_tcp)
{
	int abi = jail_landlock_abi();
	struct ruleset attributes = {.files = all_files(abi),
				     .net = abi >= 4 && !may_tcp ? NET_TCP_ALL : 0,
				     .scopes = abi >= 6 ? SCOPE_ALL : 0};
	size_t size = abi >= 6 ? sizeof(attributes) : abi >= 4 ? 2 * sizeof(uint64_t) : sizeof(uint64_t);
	autofd int ruleset = -1;
	int r = 0;

	if (abi == 0)
		return -EOPNOTSUPP;
	ruleset = (int)syscall(SYS_landlock_create_ruleset, &attributes, size, 0);
	if (ruleset < 0)
		return -errno;
	for (size_t i = 0; r == 0 && i < count; i++)
		r = add_rule(ruleset, &rules[i], abi);
	if (r < 0)
		return r;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	return syscall(SYS_landlock_restrict_self, ruleset, 0) < 0 ? -errno : 0;
}

int jail_files(const struct jail_rule *rules, size_t count)
{
	return restrict_files(rules, count, /* may_tcp= */ false);
}

int jail_files_but_tcp(const struct jail_rule *rules, size_t count)
{
	return restrict_files(rules, count, /* may_tcp= */ true);
}
