/*
 * What the guest has changed since it was first served, by path: for a person who wants to see it. Paths are
 * as they were when the guest did it. Bounded: what is beyond is left out, and said to be missing. Pure, but
 * for changes_write().
 */
#pragma once

#include "base/buf.h"

#include <stdint.h>

enum { CHANGES_MAX = 65536, CHANGE_PATH_BYTES = 4096 + 256 };

enum change { CHANGE_CREATED, CHANGE_MODIFIED, CHANGE_DELETED, CHANGE_KINDS };

struct changes;

int changes_new(struct changes **ret);
void changes_free(struct changes *changes);

size_t changes_count(const struct changes *changes);

/* False where nothing is known of the path. */
bool changes_find(const struct changes *changes, const char *path, enum change *ret);

void changes_created(struct changes *changes, const char *path);
void changes_modified(struct changes *changes, const char *path);
void changes_deleted(struct changes *changes, const char *path);

/* What lies below the folder: seen from outside, all of it was made at its new place. */
void changes_moved_folder(struct changes *changes, const char *old, const char *new);

/* Something is not told here. */
void changes_miss(struct changes *changes);
bool changes_is_missing(const struct changes *changes);

/* One of an earlier life. */
void changes_restore(struct changes *changes, enum change change, const char *path);

/* Visits all, in no order; a negative value ends it and is returned. */
int changes_each(const struct changes *changes,
		 int (*visit)(const char *path, enum change change, void *data), void *data);

/*
 * Appends a line of JSON for each that still is so below the folder (O_PATH): {"path", "change", "size"}. A
 * path that is not UTF-8 has its bytes as characters, and in hexadecimal as "raw_hex". A last line of change
 * "more" says that some are missing.
 */
int changes_write(const struct changes *changes, int root, struct buf *into);
