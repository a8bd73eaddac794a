#include "cli/usage.h"

#include "base/buf.h"
#include "base/fd.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

enum { PATH_BYTES = 48, TEXT_MAX_BYTES = 16384 };

static int read_proc(pid_t pid, const char *name, struct buf *ret)
{
	char path[PATH_BYTES];
	autofd int fd = -1;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	fd = pid > 0 ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	return fd < 0 ? -1 : fd_read_all(fd, TEXT_MAX_BYTES, ret);
}

uint64_t usage_cpu_ms(pid_t pid)
{
	auto_buf struct buf text = {0};
	unsigned long long user, system;
	const char *rest;

	if (read_proc(pid, "stat", &text) < 0)
		return 0;
	/* The name, in parentheses, may hold anything. */
	rest = strrchr(buf_text(&text), ')');
	if (!rest ||
	    sscanf(rest + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu", &user, &system) != 2)
		return 0;
	return (user + system) * 1000 / (uint64_t)sysconf(_SC_CLK_TCK);
}

uint64_t usage_memory_bytes(pid_t pid)
{
	auto_buf struct buf text = {0};
	unsigned long long kib, resident, shared;
	const char *line;

	if (read_proc(pid, "smaps_rollup", &text) == 0) {
		line = strstr(buf_text(&text), "\nPss:");
		return line && sscanf(line, "\nPss: %llu", &kib) == 1 ? kib << 10 : 0;
	}
	buf_clear(&text);
	if (read_proc(pid, "statm", &text) < 0 ||
	    sscanf(buf_text(&text), "%*u %llu %llu", &resident, &shared) != 2 || shared > resident)
		return 0;
	return (resident - shared) * (uint64_t)sysconf(_SC_PAGESIZE);
}
