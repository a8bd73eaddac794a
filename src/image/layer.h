/*
 * A template in the making that is a layer over the base: a folder of its own beside the templates, which
 * gets the template's name when it is whole. What fills it is the caller's business.
 *
 * On disk, in the folder of templates, all under the lock:
 *   .NAME.lock   locked as long as a build of NAME runs
 *   .layer-NAME  the template while it is made, or what a build that was killed has left
 */
#pragma once

#include "base/err.h"
#include "base/paths.h"

#include <stdint.h>

enum { LAYER_NAME_BYTES = 80 };

struct layer {
	int folder, lock, work; /* owned */
	int image;              /* owned: to be filled with an ext4 image */
	const char *name;       /* borrowed */
	char work_name[LAYER_NAME_BYTES];
};

#define LAYER_NONE ((struct layer){.folder = -1, .lock = -1, .work = -1, .image = -1})

/* Opens the folder of templates. Gives *ret, to be ended with layer_done() also on failure. */
int layer_open(const struct paths *paths, const char *name, struct layer *ret, struct err *err);

/* Waits for another build of the same template, which has limits of its own. */
int layer_lock(struct layer *layer, struct err *err);

/* Makes the folder and the empty image. */
int layer_begin(struct layer *layer, struct err *err);

/* Checks the image, without interpreting more than its first bytes, and makes it the template. recipe is a
 * digest of what it was made by. */
int layer_publish(struct layer *layer, const char *base_id, const char *recipe, struct err *err);

/* Removes what has not become a template. */
void layer_done(struct layer *layer);
#define auto_layer __attribute__((cleanup(layer_done)))
