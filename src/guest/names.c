#include "guest/names.h"

#include "base/mem.h"

#include <ctype.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/random.h>

enum { BUCKETS = 16384, NETWORK = 198 << 24 | 19 << 16, NETWORK_BITS = 16 };

struct name {
	struct name *next_of_bucket;
	struct name *older, *newer; /* both NULL while it is held */
	unsigned index, holds;
	char text[];
};

struct names {
	unsigned capacity, count;
	uint64_t seed;
	struct name *oldest, *newest; /* of those that nobody holds */
	struct name **slots;          /* by index */
	struct name *buckets[BUCKETS];
};

const char *name_text(const struct name *name)
{
	return name->text;
}

/* FNV-1a, begun with what nobody knows. */
static struct name **bucket_of(struct names *names, const char *text)
{
	uint64_t hash = names->seed;

	for (; *text; text++)
		hash = (hash ^ (unsigned char)tolower((unsigned char)*text)) * 0x100000001b3;
	return &names->buckets[(hash ^ hash >> 32) % BUCKETS];
}

static void unlink_name(struct names *names, struct name *name)
{
	if (name->older)
		name->older->newer = name->newer;
	else
		names->oldest = name->newer;
	if (name->newer)
		name->newer->older = name->older;
	else
		names->newest = name->older;
	name->older = name->newer = NULL;
}

static void link_newest(struct names *names, struct name *name)
{
	name->older = names->newest;
	name->newer = NULL;
	if (name->older)
		name->older->newer = name;
	else
		names->oldest = name;
	names->newest = name;
}

static void touch(struct names *names, struct name *name)
{
	if (name->holds > 0)
		return;
	unlink_name(names, name);
	link_newest(names, name);
}

void name_hold(struct names *names, struct name *name)
{
	if (name->holds++ == 0)
		unlink_name(names, name);
}

void name_release(struct names *names, struct name *name)
{
	if (--name->holds == 0)
		link_newest(names, name);
}

/* Gives the number that is free now. */
static int forget_oldest(struct names *names, unsigned *ret_index)
{
	struct name *name = names->oldest;
	struct name **at;

	if (!name)
		return -ENOSPC;
	at = bucket_of(names, name->text);
	while (*at != name)
		at = &(*at)->next_of_bucket;
	*at = name->next_of_bucket;
	unlink_name(names, name);
	*ret_index = name->index;
	names->slots[name->index] = NULL;
	free(name);
	return 0;
}

static int take_index(struct names *names, unsigned *ret)
{
	if (names->count == names->capacity)
		return forget_oldest(names, ret);
	*ret = names->count++;
	return 0;
}

static int make_name(struct names *names, const char *text, struct name **ret)
{
	size_t size = strlen(text) + 1;
	struct name *name = malloc(sizeof(*name) + size);
	struct name **bucket = bucket_of(names, text);
	unsigned index = 0;
	int r = name ? take_index(names, &index) : -ENOMEM;

	if (r < 0) {
		free(name);
		return r;
	}
	*name = (struct name){.index = index, .next_of_bucket = *bucket};
	memcpy(name->text, text, size);
	*bucket = name;
	names->slots[index] = name;
	link_newest(names, name);
	*ret = name;
	return 0;
}

int names_add(struct names *names, const char *text, struct in_addr *ret)
{
	struct name *name = *bucket_of(names, text);
	int r = 0;

	while (name && strcasecmp(name->text, text) != 0)
		name = name->next_of_bucket;
	if (name)
		touch(names, name);
	else
		r = make_name(names, text, &name);
	if (r == 0)
		ret->s_addr = htonl((uint32_t)NETWORK + 1 + name->index);
	return r;
}

bool names_covers(struct in_addr address)
{
	return ntohl(address.s_addr) >> NETWORK_BITS == (uint32_t)NETWORK >> NETWORK_BITS;
}

struct name *names_at(const struct names *names, struct in_addr address)
{
	uint32_t index = ntohl(address.s_addr) - (uint32_t)NETWORK - 1;

	return index < names->count ? names->slots[index] : NULL;
}

int names_new(unsigned capacity, struct names **ret)
{
	struct names *names = calloc(1, sizeof(*names));

	if (!names)
		return -ENOMEM;
	names->capacity = capacity;
	names->slots = calloc(capacity, sizeof(struct name *));
	if (!names->slots || getrandom(&names->seed, sizeof(names->seed), 0) != sizeof(names->seed)) {
		names_free(names);
		return -ENOMEM;
	}
	*ret = names;
	return 0;
}

void names_free(struct names *names)
{
	for (unsigned i = 0; names && i < names->count; i++)
		free(names->slots[i]);
	if (names)
		free(names->slots);
	free(names);
}
