#include "guest/mounts.h"

#include "base/fd.h"
#include "base/file.h"
#include "base/log.h"
#include "base/spawn.h"
#include "guest/devices.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

enum { MOUNTS_MAX_BYTES = 4 << 20, CHECK_LIMIT_MS = 600000 };

struct mount_row {
	const char *source, *target, *type;
	unsigned long flags;
	const char *options;
	bool is_optional;
};

static int mount_row(const struct mount_row *row, struct err *err)
{
	(void)mkdir(row->target, 0755);
	if (mount(row->source, row->target, row->type, row->flags, row->options) == 0 || row->is_optional)
		return 0;
	return err_errno(err, -errno, "cannot mount %s", row->target);
}

static int mount_rows(const struct mount_row *rows, size_t count, struct err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < count; i++)
		r = mount_row(&rows[i], err);
	return r;
}

int mounts_early(struct err *err)
{
	static const struct mount_row rows[] = {
		{"devtmpfs", "/dev", "devtmpfs", MS_NOSUID, "mode=755", false},
		{"proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL, false},
		{"sysfs", "/sys", "sysfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL, false},
	};

	return mount_rows(rows, array_len(rows), err);
}

static int find_disk(const char *path)
{
	return access(path, F_OK) < 0 ? -errno : 0;
}

static int wait_for_disk(const char *path, int limit_ms, struct err *err)
{
	int r = devices_wait(find_disk, path, limit_ms);

	return r < 0 ? err_errno(err, r, "waiting for %s", path) : 0;
}

/* A disk that the kernel refuses is looked at by the checker of the base system, which only adds what is safe
 * to add. */
static int check_disk(struct err *err)
{
	static const char *const argv[] = {"e2fsck", "-p", "/dev/vdb", NULL};
	static const char *const env[] = {"PATH=/usr/sbin:/sbin:/usr/bin:/bin", NULL};
	int status = 0;
	pid_t pid;

	log_line("the sandbox's disk cannot be mounted: checking it");
	if (mount("/dev", "/base/dev", NULL, MS_BIND, NULL) < 0)
		return err_errno(err, -errno, "cannot check the disk");
	pid = fork();
	if (pid == 0) {
		if (chroot("/base") == 0 && chdir("/") == 0)
			execve("/sbin/e2fsck", (char *const *)(uintptr_t)argv, (char *const *)(uintptr_t)env);
		_exit(127);
	}
	if (pid < 0 || spawn_wait(pid, CHECK_LIMIT_MS, &status) < 0)
		return err_set(err, -EIO, "the check of the disk did not end");
	(void)umount2("/base/dev", MNT_DETACH);
	/* 1: errors were corrected. */
	if (!WIFEXITED(status) || WEXITSTATUS(status) > 1)
		return err_set(err, -EIO,
			       "the sandbox's disk is damaged beyond what e2fsck may mend by itself");
	return 0;
}

static int mount_disk(struct err *err)
{
	static const struct mount_row row = {"/dev/vdb", "/disk", "ext4", MS_NOATIME, "noinit_itable,discard",
					     false};
	int r;

	if (mount_row(&row, NULL) == 0)
		return 0;
	r = check_disk(err);
	return r < 0 ? r : mount_row(&row, err);
}

static int overlay_root(bool has_layer, struct err *err)
{
	/* clang-format off */
#define OVER(lower) "lowerdir=" lower ",upperdir=/disk/upper,workdir=/disk/work,redirect_dir=on,index=off,xino=off"
	/* clang-format on */
	const struct mount_row root = {
		"overlay", "/root", "overlay", MS_NOATIME, has_layer ? OVER("/layer:/base") : OVER("/base"),
		false};
#undef OVER
	static const struct mount_row binds[] = {
		{"/disk/docker", "/root/var/lib/docker", NULL, MS_BIND, NULL, false},
		{"/disk/containerd", "/root/var/lib/containerd", NULL, MS_BIND, NULL, false},
	};
	static const char *const folders[] = {"/disk/upper", "/disk/work", "/disk/docker",
					      "/disk/containerd"};
	int r;

	for (size_t i = 0; i < array_len(folders); i++)
		if (mkdir(folders[i], i == 0 ? 0755 : 0711) < 0 && errno != EEXIST)
			return err_errno(err, -errno, "cannot make %s on the sandbox's disk", folders[i]);
	r = mount_row(&root, err);
	return r < 0 ? r : mount_rows(binds, array_len(binds), err);
}

/* As switch_root(8): what lies in the initramfs is only memory from now on. */
static int enter_root(struct err *err)
{
	static const char *const moved[] = {"/dev", "/proc", "/sys"};
	static const char *const used_up[] = {"/modules", "/init"};
	char target[32];

	for (size_t i = 0; i < array_len(used_up); i++)
		(void)file_remove_tree(AT_FDCWD, used_up[i], NULL);
	for (size_t i = 0; i < array_len(moved); i++) {
		snprintf(target, sizeof(target), "/root%s", moved[i]);
		if (mount(moved[i], target, NULL, MS_MOVE, NULL) < 0)
			return err_errno(err, -errno, "cannot move %s to the root", moved[i]);
	}
	if (chdir("/root") < 0 || mount(".", "/", NULL, MS_MOVE, NULL) < 0 || chroot(".") < 0 ||
	    chdir("/") < 0)
		return err_errno(err, -errno, "cannot enter the root");
	return 0;
}

static int mount_image(const char *device, const char *target, int limit_ms, struct err *err)
{
	const struct mount_row image = {device, target, "ext4", MS_RDONLY | MS_NOATIME, "noload", false};
	int r = wait_for_disk(device, limit_ms, err);

	return r < 0 ? r : mount_row(&image, err);
}

int mounts_root(int limit_ms, struct err *err)
{
	/* Said on the kernel's command line, because a disk that is not there yet looks like none. */
	bool has_layer = getenv("SBX_LAYER");
	int r = mount_image("/dev/vda", "/base", limit_ms, err);

	r = r < 0 || !has_layer ? r : mount_image("/dev/vdc", "/layer", limit_ms, err);
	r = r < 0 ? r : wait_for_disk("/dev/vdb", limit_ms, err);
	r = r < 0 ? r : mount_disk(err);
	r = r < 0 ? r : overlay_root(has_layer, err);
	return r < 0 ? r : enter_root(err);
}

/* Controllers are switched on for the groups below the root, so that Docker can limit containers. */
static void enable_controllers(void)
{
	autofd int root = file_open_dir(AT_FDCWD, "/sys/fs/cgroup");
	autofd int control = root < 0 ? -1 : openat(root, "cgroup.subtree_control", O_WRONLY | O_CLOEXEC);
	auto_buf struct buf list = {0};
	char *save = NULL;
	char word[64];

	if (control < 0 || file_read(root, "cgroup.controllers", 4096, &list) < 0 || !list.data)
		return;
	for (char *name = strtok_r(list.data, " \n", &save); name; name = strtok_r(NULL, " \n", &save)) {
		int len = snprintf(word, sizeof(word), "+%s", name);

		(void)!write(control, word, (size_t)len);
	}
}

int mounts_system(struct err *err)
{
	static const struct mount_row rows[] = {
		{"devpts", "/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, "gid=5,mode=620,ptmxmode=666", false},
		{"shm", "/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777", false},
		{"mqueue", "/dev/mqueue", "mqueue", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL, true},
		{"run", "/run", "tmpfs", MS_NOSUID | MS_NODEV, "mode=755", false},
		{"cgroup", "/sys/fs/cgroup", "cgroup2", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL, false},
		{"bpf", "/sys/fs/bpf", "bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=700", true},
		{"securityfs", "/sys/kernel/security", "securityfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL,
		 true},
		{"tracefs", "/sys/kernel/tracing", "tracefs", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL, true},
	};
	static const struct {
		const char *target, *link;
	} links[] = {{"/proc/self/fd", "/dev/fd"},
		     {"/proc/self/fd/0", "/dev/stdin"},
		     {"/proc/self/fd/1", "/dev/stdout"},
		     {"/proc/self/fd/2", "/dev/stderr"},
		     {"pts/ptmx", "/dev/ptmx"}};
	int r = mount_rows(rows, array_len(rows), err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < array_len(links); i++) {
		if (strcmp(links[i].link, "/dev/ptmx") == 0)
			(void)unlink(links[i].link);
		(void)!symlink(links[i].target, links[i].link);
	}
	(void)mkdir("/run/lock", 01777);
	(void)chmod("/run/lock", 01777);
	(void)chmod("/dev/fuse", 0666);
	enable_controllers();
	return 0;
}

/* Undoes what lies on the disk from the newest to the oldest; the root itself goes read-only instead. */
static void detach_all(void)
{
	autofd int fd = open("/proc/self/mounts", O_RDONLY | O_CLOEXEC);
	auto_buf struct buf text = {0};

	if (fd < 0 || fd_read_all(fd, MOUNTS_MAX_BYTES, &text) < 0)
		return;
	while (text.len > 0) {
		const char *line = memrchr(buf_text(&text), '\n', text.len - 1);
		char target[1024] = "";

		line = line ? line + 1 : buf_text(&text);
		if (sscanf(line, "%*s %1023s", target) == 1 &&
		    (strncmp(target, "/var/lib/docker/", 16) == 0 ||
		     strncmp(target, "/var/lib/containerd/", 20) == 0 || strncmp(target, "/run/", 5) == 0))
			(void)umount2(target, MNT_DETACH);
		text.len = (size_t)(line - buf_text(&text));
	}
}

void mounts_close(void)
{
	sync();
	detach_all();
	if (mount(NULL, "/", NULL, MS_REMOUNT | MS_RDONLY, NULL) < 0)
		log_line("the root stays writable: %s", strerror(errno));
	if (mount(NULL, "/var/lib/docker", NULL, MS_REMOUNT | MS_RDONLY, NULL) < 0)
		log_line("the disk stays writable: %s", strerror(errno));
	sync();
}
