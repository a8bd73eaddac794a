/* The disk and the state of one sandbox put into the folder of another one that is being made. */
#pragma once

#include "supervisor/saved.h"
#include "supervisor/stage.h"

/*
 * Copies one that stands still; its state only where it is good. -EBUSY when it runs. Images are hard links
 * where the file system allows it: nobody changes them. From the start shelf, the whole memory becomes the
 * base.
 */
int copy_still(const struct paths *paths, enum shelf shelf, const char *name, const struct stage *stage,
	       struct err *err);

struct copy_files {
	int disk, devices, memory, folders; /* owned */
};

/* Makes the files that a running one is asked to write. */
int copy_open(const struct stage *stage, struct copy_files *ret, struct err *err);
void copy_close(struct copy_files *files);

/* Completes what a running one has written; saved tells what its supervisor said of it. */
int copy_finish(const struct paths *paths, const char *name, const struct stage *stage,
		const struct copy_files *files, struct saved *saved, struct err *err);
