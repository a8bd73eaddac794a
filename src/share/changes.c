#include "share/changes.h"

#include "base/text.h"
#include "share/reach.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>

enum { BUCKETS = 1 << 12 };

struct entry {
	struct entry *next;
	enum change change;
	char path[];
};

struct changes {
	struct entry *buckets[BUCKETS];
	size_t count;
	bool is_missing;
};

static struct entry **bucket_of(struct changes *changes, const char *path)
{
	uint64_t hash = 0xcbf29ce484222325ULL;

	for (const char *at = path; *at; at++)
		hash = (hash ^ (unsigned char)*at) * 0x100000001b3ULL;
	return &changes->buckets[(hash >> 20) % BUCKETS];
}

/* The link that leads to it, or where it is to be put. */
static struct entry **find(struct changes *changes, const char *path)
{
	struct entry **at = bucket_of(changes, path);

	while (*at && strcmp((*at)->path, path) != 0)
		at = &(*at)->next;
	return at;
}

static void drop(struct changes *changes, struct entry **at)
{
	struct entry *entry = *at;

	*at = entry->next;
	changes->count--;
	free(entry);
}

static void put(struct changes *changes, const char *path, enum change change)
{
	struct entry **at = find(changes, path);
	struct entry *entry = *at;

	if (!entry) {
		size_t size = strlen(path) + 1;

		entry = changes->count < CHANGES_MAX ? malloc(sizeof(*entry) + size) : NULL;
		if (!entry) {
			changes->is_missing = true;
			return;
		}
		entry->next = NULL;
		memcpy(entry->path, path, size);
		*at = entry;
		changes->count++;
	}
	entry->change = change;
}

bool changes_find(const struct changes *changes, const char *path, enum change *ret)
{
	const struct entry *entry = *find((struct changes *)(uintptr_t)changes, path);

	if (entry)
		*ret = entry->change;
	return entry != NULL;
}

/* What was removed and made anew has changed, for whoever comes back to it. */
void changes_created(struct changes *changes, const char *path)
{
	enum change before;

	if (!changes_find(changes, path, &before))
		put(changes, path, CHANGE_CREATED);
	else if (before == CHANGE_DELETED)
		put(changes, path, CHANGE_MODIFIED);
}

void changes_modified(struct changes *changes, const char *path)
{
	enum change before;

	if (!changes_find(changes, path, &before) || before == CHANGE_DELETED)
		put(changes, path, CHANGE_MODIFIED);
}

void changes_deleted(struct changes *changes, const char *path)
{
	struct entry **at = find(changes, path);

	if (*at && (*at)->change == CHANGE_CREATED)
		drop(changes, at);
	else
		put(changes, path, CHANGE_DELETED);
}

/* ---- moving ---- */

static bool is_below(const char *path, const char *folder)
{
	size_t len = strlen(folder);

	return strncmp(path, folder, len) == 0 && path[len] == '/';
}

/* Takes out all that lie below, as a list. */
static struct entry *take_below(struct changes *changes, const char *folder)
{
	struct entry *taken = NULL;

	for (size_t i = 0; i < BUCKETS; i++) {
		struct entry **at = &changes->buckets[i];

		while (*at) {
			struct entry *entry = *at;

			if (!is_below(entry->path, folder)) {
				at = &entry->next;
				continue;
			}
			*at = entry->next;
			entry->next = taken;
			taken = entry;
			changes->count--;
		}
	}
	return taken;
}

static void put_below(struct changes *changes, const char *folder, const char *rest)
{
	auto_buf struct buf path = {0};

	if (buf_printf(&path, "%s%s", folder, rest) < 0)
		changes->is_missing = true;
	else
		changes_created(changes, buf_text(&path));
}

/* What the folder had lost it never had at its new place. */
void changes_moved_folder(struct changes *changes, const char *old, const char *new)
{
	struct entry *below = take_below(changes, old);

	while (below) {
		struct entry *next = below->next;

		if (below->change != CHANGE_DELETED)
			put_below(changes, new, below->path + strlen(old));
		free(below);
		below = next;
	}
}

/* ---- all of them ---- */

void changes_restore(struct changes *changes, enum change change, const char *path)
{
	put(changes, path, change);
}

void changes_miss(struct changes *changes)
{
	changes->is_missing = true;
}

bool changes_is_missing(const struct changes *changes)
{
	return changes->is_missing;
}

size_t changes_count(const struct changes *changes)
{
	return changes->count;
}

int changes_each(const struct changes *changes,
		 int (*visit)(const char *path, enum change change, void *data), void *data)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < BUCKETS; i++)
		for (const struct entry *entry = changes->buckets[i]; r >= 0 && entry; entry = entry->next)
			r = visit(entry->path, entry->change, data);
	return r;
}

int changes_new(struct changes **ret)
{
	*ret = calloc(1, sizeof(**ret));
	return *ret ? 0 : -ENOMEM;
}

void changes_free(struct changes *changes)
{
	for (size_t i = 0; changes && i < BUCKETS; i++)
		while (changes->buckets[i])
			drop(changes, &changes->buckets[i]);
	free(changes);
}

/* ---- writing ---- */

static const char *const names[] = {
	[CHANGE_CREATED] = "created", [CHANGE_MODIFIED] = "modified", [CHANGE_DELETED] = "deleted"};
static_assert(array_len(names) == CHANGE_KINDS, "name every kind");

/* Bytes from 0x80 on are left alone where they are UTF-8, and else taken for the characters of that number.
 */
static int append_text(struct buf *into, const char *text, bool is_utf8)
{
	int r = 0;

	for (; r == 0 && *text; text++) {
		unsigned char byte = (unsigned char)*text;

		if (byte < 0x20 || byte == 0x7f || (byte >= 0x80 && !is_utf8))
			r = buf_printf(into, "\\u%04x", byte);
		else if (byte == '"' || byte == '\\')
			r = buf_printf(into, "\\%c", byte);
		else
			r = buf_append(into, slice_of(text, 1));
	}
	return r;
}

static int append_hex(struct buf *into, const char *text)
{
	int r = buf_printf(into, ",\"raw_hex\":\"");

	for (; r == 0 && *text; text++)
		r = buf_printf(into, "%02x", (unsigned char)*text);
	return r < 0 ? r : buf_printf(into, "\"");
}

static int append_line(struct buf *into, const char *path, enum change change, uint64_t size)
{
	bool is_utf8 = text_is_utf8(slice_text(path));
	int r = buf_printf(into, "{\"path\":\"");

	r = r < 0 ? r : append_text(into, path, is_utf8);
	r = r < 0 ? r : buf_printf(into, "\"");
	if (r == 0 && !is_utf8)
		r = append_hex(into, path);
	r = r < 0 ? r : buf_printf(into, ",\"change\":\"%s\"", names[change]);
	if (r == 0 && change != CHANGE_DELETED)
		r = buf_printf(into, ",\"size\":%llu", (unsigned long long)size);
	return r < 0 ? r : buf_printf(into, "}\n");
}

struct writing {
	int root;
	struct buf *into;
};

/* The host may have changed it too: what is not there was removed, by whomever. */
static int write_change(const char *path, enum change change, void *data)
{
	const struct writing *writing = data;
	bool is_root = strcmp(path, ".") == 0;
	autofd int fd = is_root ? -1 : reach_open_beneath(writing->root, path);
	struct statx info = {.stx_size = 0};
	bool is_there = (is_root || fd >= 0) && reach_stat_at(is_root ? writing->root : fd, "", &info) == 0;

	if (!is_there && change == CHANGE_CREATED)
		return 0;
	if (!is_there)
		change = CHANGE_DELETED;
	else if (change == CHANGE_DELETED)
		change = CHANGE_MODIFIED;
	return append_line(writing->into, path, change, info.stx_size);
}

int changes_write(const struct changes *changes, int root, struct buf *into)
{
	struct writing writing = {.root = root, .into = into};
	int r = changes_each(changes, write_change, &writing);

	return r < 0 || !changes->is_missing ? r : buf_printf(into, "{\"path\":\".\",\"change\":\"more\"}\n");
}
