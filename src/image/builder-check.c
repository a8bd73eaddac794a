#include "base/file.h"
#include "base/text.h"
#include "image/builder.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/stat.h>

enum { SUBID_MAX_BYTES = 1 << 20, SUBID_FIRST = 100000, SUBID_COUNT = 65536 };

/* Measured: 1.7 GiB of scratch and 1.3 GiB of result; with room for what Debian adds and for upgrades. */
static const uint64_t scratch_bytes = 4ULL << 30, result_bytes = 2ULL << 30;

int builder_find_tool(const char *name, char ret[PATH_ROOM_BYTES])
{
	/* Ordinary users often lack the sbin folders in PATH. */
	static const char *const folders[] = {"/usr/local/sbin", "/usr/local/bin", "/usr/sbin",
					      "/usr/bin",        "/sbin",          "/bin"};

	for (size_t i = 0; i < array_len(folders); i++) {
		snprintf(ret, PATH_ROOM_BYTES, "%s/%s", folders[i], name);
		if (access(ret, X_OK) == 0)
			return 0;
	}
	return -ENOENT;
}

static int need_file(bool is_there, const char *what, const char *package, struct err *err)
{
	if (is_there)
		return 0;
	return err_set(err, -ENOPKG, "%s is missing, which building a template needs: sudo apt install %s",
		       what, package);
}

static bool has_tool(const char *name)
{
	char path[PATH_ROOM_BYTES];

	return builder_find_tool(name, path) == 0;
}

/*
 * Looks through lines "user:first:count". Says whether the user has one, and moves *free_from behind every
 * range, so that what we suggest overlaps nobody's.
 */
static bool has_subid_line(const char *file, const char *user, unsigned long *free_from)
{
	auto_buf struct buf text = {0};
	char *save = NULL, number[32];
	bool found = false;

	snprintf(number, sizeof(number), "%u", getuid());
	if (file_read(AT_FDCWD, file, SUBID_MAX_BYTES, &text) < 0 || text.len == 0)
		return false;
	for (char *line = strtok_r(text.data + text.start, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		char *numbers = strchr(line, ':'), *end;
		unsigned long first, count;

		if (!numbers)
			continue;
		first = strtoul(numbers + 1, &end, 10);
		count = *end == ':' ? strtoul(end + 1, NULL, 10) : 0;
		*numbers = '\0';
		if (strcmp(line, user) == 0 || strcmp(line, number) == 0)
			found = true;
		if (first + count > *free_from)
			*free_from = first + count;
	}
	return found;
}

static int check_sub_ids(struct err *err)
{
	const struct passwd *user = getpwuid(getuid());
	const char *name = user ? user->pw_name : "?";
	unsigned long first = SUBID_FIRST, last;
	bool has_uids = has_subid_line("/etc/subuid", name, &first);
	bool has_gids = has_subid_line("/etc/subgid", name, &first);

	if (has_uids && has_gids)
		return 0;
	last = first + SUBID_COUNT - 1;
	return err_set(err, -EPERM,
		       "%s has no line for '%s', which building a template without root needs: sudo usermod "
		       "--add-subuids %lu-%lu --add-subgids %lu-%lu %s",
		       has_uids ? "/etc/subgid" : "/etc/subuid", name, first, last, first, last, name);
}

static int check_tools(struct err *err)
{
	int r = need_file(has_tool("mmdebstrap"), "mmdebstrap", "mmdebstrap", err);

	if (r == 0)
		r = need_file(access("/usr/share/keyrings/debian-archive-keyring.gpg", R_OK) == 0,
			      "Debian's package signing keyring", "debian-archive-keyring", err);
	if (r == 0)
		r = need_file(has_tool("unshare"), "unshare", "util-linux", err);
	if (r < 0 || geteuid() == 0)
		return r;
	r = need_file(has_tool("newuidmap") && has_tool("newgidmap"), "newuidmap", "uidmap", err);
	return r == 0 ? check_sub_ids(err) : r;
}

static int check_space(const char *folder, uint64_t wanted, struct err *err)
{
	char needs[TEXT_SHORT_BYTES], has[TEXT_SHORT_BYTES];
	autofd int fd = file_open_dir(AT_FDCWD, folder);
	uint64_t left = 0;
	int r = fd < 0 ? fd : file_space_left(fd, &left);

	if (r < 0)
		return err_errno(err, r, "cannot see how much space is left in '%s'", folder);
	if (left >= wanted)
		return 0;
	text_format_bytes(wanted, needs);
	text_format_bytes(left, has);
	return err_set(err, -ENOSPC, "building a template needs about %s in '%s', which has %s left", needs,
		       folder, has);
}

static bool is_same_disk(const struct builder *builder)
{
	struct stat scratch, result;

	return fstat(builder->folder_fd, &result) == 0 && stat("/var/tmp", &scratch) == 0 &&
	       result.st_dev == scratch.st_dev;
}

int builder_check(const struct builder *builder, struct err *err)
{
	int r = check_tools(err);

	if (r < 0)
		return r;
	if (is_same_disk(builder))
		return check_space(builder->folder, scratch_bytes + result_bytes, err);
	r = check_space("/var/tmp", scratch_bytes, err);
	return r < 0 ? r : check_space(builder->folder, result_bytes, err);
}

int builder_disk_full(const struct builder *builder, struct err *err)
{
	char scratch[TEXT_SHORT_BYTES], result[TEXT_SHORT_BYTES];

	text_format_bytes(scratch_bytes, scratch);
	text_format_bytes(result_bytes, result);
	return err_set(err, -ENOSPC,
		       "the disk became full: building a template needs about %s in /var/tmp and %s in '%s'",
		       scratch, result, builder->folder);
}
