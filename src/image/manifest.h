/*
 * template.json: what the files of a template are. It is written last, so a folder that has one was whole
 * once.
 */
#pragma once

#include "base/err.h"
#include "base/hash.h"

#include <stdbool.h>
#include <stdint.h>

enum { MANIFEST_VERSION = 1, MANIFEST_ID_BYTES = 33, MANIFEST_KERNEL_BYTES = 80 };

enum manifest_file { MANIFEST_KERNEL, MANIFEST_MODULES, MANIFEST_BASE, MANIFEST_LAYER, MANIFEST_FILES };

/* A base template has these; one that is a layer over it, only the layer. */
enum { MANIFEST_BASE_FILES = MANIFEST_LAYER };

struct manifest_entry {
	uint64_t size;
	int64_t mtime_ns;
	char sha256[HASH_TEXT_BYTES];
};

struct manifest {
	char id[MANIFEST_ID_BYTES]; /* follows from the contents of all files */
	char kernel_version[MANIFEST_KERNEL_BYTES];
	/* Of a layer; empty in a base template. */
	char base_id[MANIFEST_ID_BYTES];
	char recipe[HASH_TEXT_BYTES]; /* digest of what it was made by */
	int64_t created;              /* seconds since 1970 */
	struct manifest_entry files[MANIFEST_FILES];
};

const char *manifest_file_name(enum manifest_file file);

/* Whether a template of that kind has that file. */
bool manifest_has(const struct manifest *manifest, enum manifest_file file);

/* -ENOENT where there is none, -EUCLEAN where it cannot be understood. */
int manifest_read(int dir_fd, struct manifest *ret, struct err *err);
int manifest_write(int dir_fd, const struct manifest *manifest, struct err *err);

/* Fills in the files' sizes, times and digests, and the id, from what lies in the folder; hashes everything.
 * A layer's id follows from its base's too. */
int manifest_measure(int dir_fd, struct manifest *manifest, struct err *err);

/* Opens one file of the template for reading and compares size and time. Gives the descriptor, or -EUCLEAN.
 */
int manifest_open_file(int dir_fd, const struct manifest *manifest, enum manifest_file file, struct err *err);
