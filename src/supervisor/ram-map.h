/* Where an engine has mapped its machine's memory, and which of its pages hold something. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* The memfd's name, by which its mapping is found. */
#define RAM_NAME "sbx-ram"

enum { RAM_REGIONS_MAX = 64 };

struct ram_map {
	struct {
		uintptr_t begin;
		uint64_t first, count; /* pages */
	} regions[RAM_REGIONS_MAX];
	size_t count;
};

/* Reads the mappings of the engine, which must cover the whole memory: -ENODATA where they do not. */
int ram_map_read(pid_t engine, uint64_t bytes, struct ram_map *ret);

/* The address of that page in the engine, and how many pages lie there in one piece; 0 where there is none.
 */
uintptr_t ram_map_find(const struct ram_map *map, uint64_t page, size_t *ret_count);

/* Called for ranges of pages in ascending order, each within one region; a negative value ends it. */
typedef int ram_range(uint64_t first, uint64_t count, void *data);

/* The pages that the engine has written to: copies of its own instead of pages of the file. */
int ram_map_each_changed(const struct ram_map *map, pid_t engine, ram_range *take, void *data);

/* The pages of a memfd that are not holes. */
int ram_map_each_data(int memfd, ram_range *take, void *data);
