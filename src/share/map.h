/* Numbers by numbers: small, and quick with millions. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct map {
	struct map_place *places; /* owned */
	size_t n_places, count;
};

void map_init(struct map *map);
void map_done(struct map *map);

/* 0 where there is none. */
uint64_t map_find(const struct map *map, uint64_t key);

/* Neither is 0. What the key had before is replaced. */
int map_put(struct map *map, uint64_t key, uint64_t value);

/* Only if the key has that value. */
void map_remove(struct map *map, uint64_t key, uint64_t value);
