/*
 * A machine's memory: as a memfd that the engine maps, and as an image, a file that holds the pages that are
 * not zero, or those that differ from what a sealed memfd holds.
 *
 *   one page      head: what the machine's memory is long, where the table is, and its digest
 *   the pages     those that are not zero, one after another
 *   the table     runs of pages: the first one's number, how many, and whether they are zero
 *
 * An image is written by this program and read by it again, possibly after something else has changed it:
 * every number is checked before it is used. The pages themselves are not; they are the guest's.
 */
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum { RAM_PAGE_BYTES = 4096 };

/* Makes a memfd of that size, all holes. Returns it or a negative errno. */
int ram_new(uint64_t bytes);

/* From here on neither its size nor its content can change, whoever has it. */
int ram_seal(int memfd);

/* True for a memfd of that size which is sealed. */
bool ram_is_sealed(int memfd, uint64_t bytes);

/* Puts an image's pages into a memfd. -EUCLEAN with a sentence when the image is not whole. */
int ram_fill(int image, int memfd, uint64_t bytes, struct err *err);

/* Puts them into the engine's private mapping of its memfd, before its machine runs. */
int ram_fill_engine(int image, pid_t engine, uint64_t bytes, struct err *err);

/* Where an image is taken from; the machine must stand still. */
struct ram_source {
	int memfd;    /* the machine's own one, or -1 */
	pid_t engine; /* else the pages that this one has changed in its private mapping */
	uint64_t bytes;
};

/* How many bytes an image would need, at most. */
int ram_measure(const struct ram_source *source, uint64_t *ret_bytes, struct err *err);

/* Writes the image into the file, over what is there. Gives its length. */
int ram_save(const struct ram_source *source, int image, uint64_t *ret_bytes, struct err *err);
