#include "supervisor/ram-map.h"

#include "base/buf.h"
#include "base/fd.h"
#include "supervisor/ram.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

enum { MAPS_MAX_BYTES = 16 << 20, STEP_PAGES = 4096, PATH_BYTES = 48 };

/* Of an entry in /proc/PID/pagemap (Documentation/admin-guide/mm/pagemap.rst). */
static const uint64_t is_present = 1ULL << 63, is_swapped = 1ULL << 62, is_of_file = 1ULL << 61;

static int open_proc(pid_t pid, const char *name)
{
	char path[PATH_BYTES];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int add_region(const char *line, struct ram_map *map)
{
	unsigned long begin, end, offset;

	if (!strstr(line, "/memfd:" RAM_NAME " "))
		return 0;
	if (sscanf(line, "%lx-%lx %*s %lx", &begin, &end, &offset) != 3 || map->count == RAM_REGIONS_MAX)
		return -ENODATA;
	map->regions[map->count].begin = begin;
	map->regions[map->count].first = offset / RAM_PAGE_BYTES;
	map->regions[map->count].count = (end - begin) / RAM_PAGE_BYTES;
	map->count++;
	return 0;
}

int ram_map_read(pid_t engine, uint64_t bytes, struct ram_map *ret)
{
	autofd int fd = open_proc(engine, "maps");
	auto_buf struct buf text = {0};
	uint64_t next = 0;
	char *save = NULL;
	int r = fd < 0 ? fd : fd_read_all(fd, MAPS_MAX_BYTES, &text);

	*ret = (struct ram_map){.count = 0};
	if (r < 0 || !text.data)
		return r < 0 ? r : -ENODATA;
	for (char *line = strtok_r(text.data, "\n", &save); r == 0 && line;
	     line = strtok_r(NULL, "\n", &save))
		r = add_region(line, ret);
	for (size_t i = 0; r == 0 && i < ret->count; i++) {
		if (ret->regions[i].first != next)
			r = -ENODATA;
		next += ret->regions[i].count;
	}
	return r < 0 ? r : next == bytes / RAM_PAGE_BYTES ? 0 : -ENODATA;
}

uintptr_t ram_map_find(const struct ram_map *map, uint64_t page, size_t *ret_count)
{
	*ret_count = 0;
	for (size_t i = 0; i < map->count; i++) {
		uint64_t at = page - map->regions[i].first;

		if (page < map->regions[i].first || at >= map->regions[i].count)
			continue;
		*ret_count = (size_t)(map->regions[i].count - at);
		return map->regions[i].begin + at * RAM_PAGE_BYTES;
	}
	return 0;
}

static bool is_changed(uint64_t entry)
{
	return (entry & is_swapped) || ((entry & is_present) && !(entry & is_of_file));
}

/* One stretch of at most STEP_PAGES entries. */
static int take_step(const uint64_t *entries, size_t count, uint64_t first, ram_range *take, void *data)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < count;) {
		size_t end = i;

		while (end < count && is_changed(entries[end]))
			end++;
		if (end > i)
			r = take(first + i, end - i, data);
		i = end > i ? end : i + 1;
	}
	return r;
}

int ram_map_each_changed(const struct ram_map *map, pid_t engine, ram_range *take, void *data)
{
	autofd int fd = open_proc(engine, "pagemap");
	autofree uint64_t *entries = malloc(STEP_PAGES * sizeof(*entries));
	int r = fd < 0 ? fd : entries ? 0 : -ENOMEM;

	for (size_t i = 0; r == 0 && i < map->count; i++) {
		uint64_t done = 0;

		while (r == 0 && done < map->regions[i].count) {
			uint64_t left = map->regions[i].count - done;
			size_t step = left < STEP_PAGES ? (size_t)left : STEP_PAGES;
			off_t at =
				(off_t)((map->regions[i].begin / RAM_PAGE_BYTES + done) * sizeof(*entries));
			ssize_t len = pread(fd, entries, step * sizeof(*entries), at);

			if (len <= 0)
				return len < 0 ? -errno : -ENODATA;
			step = (size_t)len / sizeof(*entries);
			r = take_step(entries, step, map->regions[i].first + done, take, data);
			done += step;
		}
	}
	return r;
}

int ram_map_each_data(int memfd, ram_range *take, void *data)
{
	off_t begin, end = 0;
	int r = 0;

	while (r == 0) {
		begin = lseek(memfd, end, SEEK_DATA);
		if (begin < 0)
			return errno == ENXIO ? 0 : -errno;
		end = lseek(memfd, begin, SEEK_HOLE);
		if (end < 0)
			return -errno;
		r = take((uint64_t)begin / RAM_PAGE_BYTES, (uint64_t)(end - begin) / RAM_PAGE_BYTES, data);
	}
	return r;
}
