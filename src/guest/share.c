#include "guest/share.h"

#include "base/buf.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/log.h"
#include "guest/port.h"
#include "guest/relay.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>

enum { TREE_CLONE = 1, PORT_NAME_BYTES = 32, PID_LINE_BYTES = PATH_MAX + 32 };

static const char state_dir[] = "/run/sbx";

struct lines {
	char port[PORT_NAME_BYTES], target[PATH_MAX];
	bool is_read_only, is_file, is_forced;
};

static int parse_line(const char *line, size_t len, struct lines *ret)
{
	char word[16], value[PATH_MAX];

	if (len >= sizeof(value) || sscanf(line, "%15[a-z] ", word) != 1 || len <= strlen(word) + 1)
		return -EINVAL;
	snprintf(value, sizeof(value), "%.*s", (int)(len - strlen(word) - 1), line + strlen(word) + 1);
	if (strcmp(word, "port") == 0 && strlen(value) < sizeof(ret->port) && !strchr(value, '/'))
		strcpy(ret->port, value);
	else if (strcmp(word, "target") == 0 && value[0] == '/')
		strcpy(ret->target, value);
	else if (strcmp(word, "mode") == 0)
		ret->is_read_only = strcmp(value, "ro") == 0;
	else if (strcmp(word, "kind") == 0)
		ret->is_file = strcmp(value, "file") == 0;
	else if (strcmp(word, "force") == 0)
		ret->is_forced = strcmp(value, "1") == 0;
	else
		return -EINVAL;
	return 0;
}

static int parse(const char *text, struct lines *ret)
{
	int r = 0;

	*ret = (struct lines){.is_file = false};
	while (r == 0 && *text) {
		size_t len = strcspn(text, "\n");

		r = parse_line(text, len, ret);
		text += len + (text[len] == '\n');
	}
	return r < 0 || ret->port[0] == '\0' || ret->target[0] == '\0' ? -EINVAL : 0;
}

/* ---- the processes that carry ---- */

/* 0 where there is none that carries this port to this place. */
static pid_t find_relay(const struct lines *lines)
{
	autofd int dir = file_open_dir(AT_FDCWD, state_dir);
	auto_buf struct buf text = {0};
	int pid, used = 0;

	if (dir < 0 || file_read(dir, lines->port, PID_LINE_BYTES, &text) < 0 ||
	    sscanf(buf_text(&text), "%d %n", &pid, &used) != 1 || used == 0 ||
	    strcmp(buf_text(&text) + used, lines->target) != 0 || pid <= 1 || kill(pid, 0) < 0)
		return 0;
	return pid;
}

static int remember_relay(const struct lines *lines, pid_t pid)
{
	char text[PID_LINE_BYTES];
	autofd int dir = -1;
	int len = snprintf(text, sizeof(text), "%d %s", pid, lines->target);

	(void)mkdir(state_dir, 0700);
	dir = file_open_dir(AT_FDCWD, state_dir);
	return dir < 0 ? dir : file_write_atomic(dir, lines->port, 0600, slice_of(text, (size_t)len), NULL);
}

static int carry(const struct relay_place *place)
{
	int r;

	/* Others may still write to the folder while the machine shuts down. */
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	r = relay_run(place);
	if (r < 0)
		log_line("%s is lost: %s", place->target, strerror(-r));
	return r;
}

static int start_relay(const struct lines *lines, const struct relay_place *place)
{
	pid_t pid = fork();

	if (pid == 0) {
		(void)setsid();
		_exit(carry(place) < 0 ? EXIT_FAILURE : EXIT_SUCCESS);
	}
	return pid < 0 ? -errno : remember_relay(lines, pid);
}

/* ---- mounting ---- */

/* What is shared has the host's path, and /root is one that `agent` could not pass. The host's own folders
 * stay. */
static int let_through(const char *path)
{
	struct stat info, root;

	if (stat(path, &info) < 0 || stat("/", &root) < 0)
		return -errno;
	if ((info.st_mode & S_IXOTH) || info.st_dev != root.st_dev)
		return 0;
	return chmod(path, (info.st_mode & 07777) | S_IXOTH) < 0 ? -errno : 0;
}

/* A folder that is made inside somebody's folder is theirs. */
static int make_dir(const char *path, const char *parent)
{
	struct stat info;

	if (mkdir(path, 0755) < 0)
		return errno == EEXIST ? let_through(path) : -errno;
	if (stat(*parent ? parent : "/", &info) == 0)
		(void)!chown(path, info.st_uid, info.st_gid);
	return 0;
}

static int make_target(const struct lines *lines)
{
	char path[PATH_MAX], parent[PATH_MAX] = "";
	autofd int fd = -1;
	int r = 0;

	strcpy(path, lines->target);
	for (char *at = strchr(path + 1, '/'); r == 0 && at; at = strchr(at + 1, '/')) {
		*at = '\0';
		r = make_dir(path, parent);
		strcpy(parent, path);
		*at = '/';
	}
	if (r == 0 && !lines->is_file)
		return make_dir(path, parent);
	fd = r < 0 ? -1 : open(path, O_RDONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644);
	return r < 0 ? r : fd < 0 ? -errno : 0;
}

/* The kernel drops an answer that a notice has overtaken, and judges by what it had: for the first one
 * nothing, by which nobody may enter, if all that it had were the type. */
static int mount_fuse(const struct lines *lines, int fuse)
{
	const unsigned mode = (lines->is_file ? S_IFREG : S_IFDIR) | 0777;
	char options[160];

	snprintf(options, sizeof(options),
		 "fd=%d,rootmode=%o,user_id=0,group_id=0,default_permissions,allow_other,max_read=%d", fuse,
		 mode, 1 << 20);
	return mount(lines->port, lines->target, "fuse.sbx", MS_NOSUID | MS_NODEV, options) < 0 ? -errno : 0;
}

/* A message brings a megabyte; the kernel would ask for an eighth of that at a time. */
static void widen_read_ahead(const char *target)
{
	static const char kilobytes[] = "1024";
	char path[64];
	struct statx info;
	autofd int fd = -1;

	/* Nobody answers yet. */
	if (statx(AT_FDCWD, target, AT_STATX_DONT_SYNC, 0, &info) < 0)
		return;
	snprintf(path, sizeof(path), "/sys/class/bdi/%u:%u/read_ahead_kb", info.stx_dev_major,
		 info.stx_dev_minor);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd >= 0)
		(void)!write(fd, kilobytes, sizeof(kilobytes) - 1);
}

/* The server refuses every change of a folder that is shared read-only; this is for programs that ask before.
 */
static int make_read_only(const char *target)
{
	const unsigned long flags = MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV;

	return mount(NULL, target, NULL, flags, NULL) < 0 ? -errno : 0;
}

static int mount_all(const struct lines *lines)
{
	struct relay_place place = {.target = lines->target, .root = -1};
	int r;

	place.port = port_open(lines->port);
	place.fuse = place.port < 0 ? -1 : open("/dev/fuse", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (place.fuse < 0)
		return place.port < 0 ? place.port : -errno;
	r = make_target(lines);
	r = r < 0 ? r : mount_fuse(lines, place.fuse);
	if (r < 0)
		return r;
	widen_read_ahead(lines->target);
	place.root = (int)syscall(SYS_open_tree, AT_FDCWD, lines->target, TREE_CLONE | O_CLOEXEC);
	r = place.root < 0 ? -errno : 0;
	r = r < 0 || !lines->is_read_only ? r : make_read_only(lines->target);
	r = r < 0 ? r : start_relay(lines, &place);
	if (r < 0)
		(void)umount2(lines->target, MNT_DETACH);
	return r;
}

int share_mount(const char *text)
{
	static struct lines lines; /* large, and this process does one thing only */
	int r = parse(text, &lines);

	if (r < 0 || find_relay(&lines) > 0)
		return r;
	r = mount_all(&lines);
	if (r < 0)
		log_line("cannot mount %s: %s", lines.target, strerror(-r));
	return r;
}

int share_umount(const char *text)
{
	struct lines lines;
	int r = parse(text, &lines);
	pid_t relay = r < 0 ? 0 : find_relay(&lines);

	if (relay == 0)
		return r;
	if (umount2(lines.target, lines.is_forced ? MNT_DETACH : 0) < 0 && errno != EINVAL)
		return -errno;
	(void)kill(relay, SIGKILL);
	return 0;
}

unsigned share_carriers(void)
{
	auto_dir DIR *dir = opendir(state_dir);
	const struct dirent *entry;
	unsigned count = 0;

	while (dir && (entry = readdir(dir))) {
		auto_buf struct buf text = {0};
		int pid = 0;

		if (entry->d_name[0] != '.' &&
		    file_read(dirfd(dir), entry->d_name, PID_LINE_BYTES, &text) == 0 &&
		    sscanf(buf_text(&text), "%d", &pid) == 1 && pid > 1 && kill(pid, 0) == 0)
			count++;
	}
	return count;
}
