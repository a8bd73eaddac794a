/*
 * The state of a machine that stands still, beside its disk in the folder of its sandbox:
 *
 *   saved/manifest.json   what it fits, and what tells that the rest is whole
 *   saved/devices         the state of its processor and devices
 *   saved/memory          an image (ram.h) of its memory, or of what differs from base
 *   saved/folders         what the servers of its folders know (share-states.h); not having it costs no start
 *   base                  an image that many sandboxes start from, a hard link to the one of the snapshot
 *
 * It is worth something only together with the disk as it was at that moment, which the disk's time of change
 * tells. A machine that goes on from it renames saved to resuming first.
 */
#pragma once

#include "base/err.h"
#include "base/hash.h"

#include <stdbool.h>
#include <stdint.h>

enum { SAVED_ID_BYTES = 33, SAVED_MACHINE_BYTES = 160 };

struct saved {
	char machine[SAVED_MACHINE_BYTES]; /* what it fits: saved_machine() */
	char id[SAVED_ID_BYTES];           /* of memory, where there is no base */
	char base[SAVED_ID_BYTES];         /* of base; empty where there is none */
	uint64_t memory_bytes;             /* length of memory; 0 where it is as in base */
	uint64_t base_bytes;               /* length of base */
	uint64_t devices_bytes;
	char devices_sha256[HASH_TEXT_BYTES];
	int64_t disk_changed_ns; /* since 1970 */
};

/* What a state fits: the engine and the template that it was made with. */
void saved_make_key(const char *engine_key, const char *template_id, char ret[SAVED_MACHINE_BYTES]);

/* Fills in what the files in the folder saved/ say of themselves: lengths, digest, a new id. */
int saved_describe(int saved_dir, struct saved *saved, struct err *err);

/* Writes saved/manifest.json into that folder, for that disk. Whoever calls it has written the other files.
 */
int saved_write(int saved_dir, int disk, struct saved *saved, struct err *err);

/*
 * Reads the manifest in `name` (saved or resuming) of a sandbox's folder. -ENOENT when there is none,
 * -EUCLEAN with a clause when it or what it describes is not whole, or the disk has changed since.
 */
int saved_read(int sandbox_dir, const char *name, struct saved *ret, struct err *err);

/* Which base it has, without looking whether all of it is whole: of saved, else of resuming. */
int saved_read_base(int sandbox_dir, struct saved *ret);

/* True when the state is whole memory and nothing else depends on: what others can take for their base. */
static inline bool saved_is_base(const struct saved *saved)
{
	return saved->base[0] == '\0';
}
