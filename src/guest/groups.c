#include "guest/groups.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { PATH_BYTES = 320, EVENTS_MAX_BYTES = 4096 };

static const char root[] = "/sys/fs/cgroup";

static int open_group(const char *name)
{
	char path[PATH_BYTES];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", root, name);
	(void)mkdir(path, 0755);
	strcat(path, "/cgroup.procs");
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		log_line("there is no control group '%s': %s", name, strerror(errno));
	return fd;
}

void groups_open(struct groups *groups)
{
	*groups = (struct groups){.user = open_group("user"), .engine = open_group("docker-engine")};
}

int groups_of_commands(const struct groups *groups)
{
	return groups ? groups->user : -1;
}

int groups_of_engine(const struct groups *groups)
{
	return groups ? groups->engine : -1;
}

static int each(int (*visit)(const char *name, void *data), void *data)
{
	auto_dir DIR *dir = opendir(root);
	const struct dirent *entry;
	int r = 0;

	while (dir && r == 0 && (entry = readdir(dir)))
		if (entry->d_type == DT_DIR && entry->d_name[0] != '.')
			r = visit(entry->d_name, data);
	return r;
}

static int set_frozen(const char *name, void *data)
{
	char path[PATH_BYTES];
	autofd int fd = -1;

	snprintf(path, sizeof(path), "%s/%s/cgroup.freeze", root, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, *(const bool *)data ? "1" : "0", 1) != 1)
		log_line("the control group '%s' cannot be frozen: %s", name, strerror(errno));
	return 0;
}

void groups_set_frozen(bool is_frozen)
{
	(void)each(set_frozen, &is_frozen);
}

/* The kernel tells of each change of the file. */
static int wait_for(const char *name, void *data)
{
	const int64_t *deadline_ms = data;
	char path[PATH_BYTES];
	autofd int fd = -1;

	snprintf(path, sizeof(path), "%s/%s/cgroup.events", root, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	while (fd >= 0) {
		struct pollfd changed = {.fd = fd, .events = POLLPRI};
		int64_t left = *deadline_ms - clock_ms();
		auto_buf struct buf text = {0};

		if (lseek(fd, 0, SEEK_SET) < 0 || fd_read_all(fd, EVENTS_MAX_BYTES, &text) < 0 ||
		    strstr(buf_text(&text), "frozen 1"))
			return 0;
		if (left <= 0 || poll(&changed, 1, (int)left) <= 0)
			return -ETIME;
	}
	return 0;
}

int groups_wait_frozen(int limit_ms)
{
	int64_t deadline_ms = clock_ms() + limit_ms;

	return each(wait_for, &deadline_ms);
}
