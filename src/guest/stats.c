#include "guest/stats.h"

#include "base/buf.h"
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/statvfs.h>
#include <sys/sysinfo.h>

enum { MEMINFO_MAX_BYTES = 65536 };

static int add_memory(struct buf *into)
{
	autofd int fd = open("/proc/meminfo", O_RDONLY | O_CLOEXEC);
	auto_buf struct buf text = {0};
	unsigned long long total, available;
	const char *line;
	int r = fd < 0 ? -errno : fd_read_all(fd, MEMINFO_MAX_BYTES, &text);

	if (r < 0)
		return r;
	line = strstr(buf_text(&text), "MemAvailable:");
	if (sscanf(buf_text(&text), "MemTotal: %llu", &total) != 1 || !line ||
	    sscanf(line, "MemAvailable: %llu", &available) != 1)
		return -ENODATA;
	return buf_printf(into, "memory-total-kib %llu\nmemory-available-kib %llu\n", total, available);
}

static int add_disk(struct buf *into)
{
	struct statvfs disk;
	unsigned long long unit;

	if (statvfs("/", &disk) < 0)
		return -errno;
	unit = disk.f_frsize;
	return buf_printf(into, "disk-total-kib %llu\ndisk-used-kib %llu\n", disk.f_blocks * unit >> 10,
			  (disk.f_blocks - disk.f_bfree) * unit >> 10);
}

static int add_system(struct buf *into)
{
	struct sysinfo info;

	if (sysinfo(&info) < 0)
		return -errno;
	return buf_printf(into, "load %.2f\nprocesses %u\nuptime-seconds %ld\n",
			  (double)info.loads[0] / (1 << SI_LOAD_SHIFT), (unsigned)info.procs, info.uptime);
}

int stats_answer(struct h2_stream *stream)
{
	auto_buf struct buf body = {0};
	int r = add_memory(&body);

	r = r < 0 ? r : add_disk(&body);
	r = r < 0 ? r : add_system(&body);
	r = r < 0 ? r : h2_respond(stream, 200);
	r = r < 0 ? r : h2_send(stream, buf_slice(&body));
	h2_end(stream);
	return r;
}
