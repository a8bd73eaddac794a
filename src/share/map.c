#include "share/map.h"

#include "base/mem.h"

#include <errno.h>
#include <stdbool.h>

enum { PLACES_MIN = 256 };

struct map_place {
	uint64_t key, value; /* key 0: free */
};

void map_init(struct map *map)
{
	*map = (struct map){.places = NULL};
}

void map_done(struct map *map)
{
	free(map->places);
	map_init(map);
}

static size_t home(const struct map *map, uint64_t key)
{
	return (key * 0x9e3779b97f4a7c15ULL >> 16) & (map->n_places - 1);
}

/* Where the key is, or would be. */
static size_t place_of(const struct map *map, uint64_t key)
{
	size_t at = home(map, key);

	while (map->places[at].key && map->places[at].key != key)
		at = (at + 1) & (map->n_places - 1);
	return at;
}

uint64_t map_find(const struct map *map, uint64_t key)
{
	return map->n_places == 0 || key == 0 ? 0 : map->places[place_of(map, key)].value;
}

static int grow(struct map *map)
{
	struct map bigger = {.n_places = map->n_places ? map->n_places * 2 : PLACES_MIN, .count = map->count};

	bigger.places = calloc(bigger.n_places, sizeof(*bigger.places));
	if (!bigger.places)
		return -ENOMEM;
	for (size_t i = 0; i < map->n_places; i++)
		if (map->places[i].key)
			bigger.places[place_of(&bigger, map->places[i].key)] = map->places[i];
	free(map->places);
	*map = bigger;
	return 0;
}

int map_put(struct map *map, uint64_t key, uint64_t value)
{
	int r = map->count * 4 >= map->n_places * 3 ? grow(map) : 0;
	struct map_place *place;

	if (r < 0)
		return r;
	place = &map->places[place_of(map, key)];
	map->count += place->key == 0;
	*place = (struct map_place){key, value};
	return 0;
}

/* Those behind a place that becomes free move up, as far as they may: a search ends at a free one. */
static void close_gap(struct map *map, size_t gap)
{
	const size_t mask = map->n_places - 1;

	for (size_t at = (gap + 1) & mask; map->places[at].key; at = (at + 1) & mask) {
		size_t from_home = (at - home(map, map->places[at].key)) & mask;

		if (from_home < ((at - gap) & mask))
			continue;
		map->places[gap] = map->places[at];
		gap = at;
	}
	map->places[gap] = (struct map_place){0, 0};
}

void map_remove(struct map *map, uint64_t key, uint64_t value)
{
	if (key == 0 || map_find(map, key) != value)
		return;
	map->count--;
	close_gap(map, place_of(map, key));
}
