#include "proxy/known-names.h"

#include "base/mem.h"

#include <stdlib.h>

/* FNV-1a. A guest that looks for names with one hash makes itself ask more often. */
static size_t place_of(const char *name)
{
	uint32_t hash = 2166136261u;

	for (; *name; name++)
		hash = (hash ^ (unsigned char)*name) * 16777619u;
	return hash % KNOWN_NAMES_MAX;
}

static void forget(struct known_name **place)
{
	if (*place)
		free((*place)->name);
	free(*place);
	*place = NULL;
}

const struct known_name *known_names_find(const struct known_names *names, const char *name, uint64_t now_ms)
{
	const struct known_name *known = names->places[place_of(name)];

	return known && known->until_ms > now_ms && strcmp(known->name, name) == 0 ? known : NULL;
}

void known_names_add(struct known_names *names, const char *name, const struct in6_addr *addresses,
		     size_t count, uint64_t now_ms, uint64_t for_ms)
{
	struct known_name **place = &names->places[place_of(name)];

	if (for_ms == 0 || count == 0 || count > RESOLVE_ADDRESSES_MAX)
		return;
	forget(place);
	*place = calloc(1, sizeof(**place));
	if (*place)
		(*place)->name = strdup(name);
	if (!*place || !(*place)->name) {
		forget(place);
		return;
	}
	(*place)->until_ms = now_ms + (for_ms < KNOWN_NAME_MAX_MS ? for_ms : KNOWN_NAME_MAX_MS);
	(*place)->count = count;
	memcpy((*place)->addresses, addresses, count * sizeof(*addresses));
}

void known_names_clear(struct known_names *names)
{
	for (size_t i = 0; i < array_len(names->places); i++)
		forget(&names->places[i]);
}
