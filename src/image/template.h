/*
 * A template is what sandboxes start from: a kernel, an initramfs and read-only images, in the folder
 * <data>/templates/<name>. Most are a layer, an image over those of the template "base", whose other files
 * they share. The folder appears whole, by a rename, or not at all.
 */
#pragma once

#include "base/err.h"
#include "base/paths.h"
#include "image/initramfs.h"
#include "image/manifest.h"

struct template
{
	int kernel, initramfs, base,
		layer;              /* read-only descriptors, owned; layer is -1 where there is none */
	char id[MANIFEST_ID_BYTES]; /* equal ids, equal contents */
	char kernel_version[MANIFEST_KERNEL_BYTES];
	char initramfs_id[INITRAMFS_ID_BYTES]; /* of what the machine boots with, the guest program included
						*/
	char recipe[HASH_TEXT_BYTES];          /* of a layer: digest of what it was made by; else empty */
};

#define TEMPLATE_BASE_NAME "base"

/*
 * Opens the template and checks it cheaply. -ENOENT where there is none, -EUCLEAN where it is damaged,
 * -ESTALE where its base is not the one that it was made on: all can be mended by building it. The initramfs
 * is made of the guest program and the template, and kept in the cache.
 */
int template_open(const struct paths *paths, const char *name, struct template *ret, struct err *err);
void template_done(struct template *template);

#define auto_template __attribute__((cleanup(template_done)))
#define TEMPLATE_NONE ((struct template){.kernel = -1, .initramfs = -1, .base = -1, .layer = -1})

/* Reads everything and compares it with the digests. -EUCLEAN where they differ. */
int template_verify(const struct paths *paths, const char *name, struct err *err);

/*
 * Gives the folder `work` in the folder of templates the name, swapping it with what has the name now, if
 * anything; what was there is then under the name of the work.
 */
int template_publish(int folder_fd, const char *work, const char *name, struct err *err);

/* One to 63 of a-z 0-9 . _ -, the first a letter or digit; else -EINVAL. */
int template_check_name(const char *name, struct err *err);

struct template_progress {
	const char *what;                               /* borrowed; valid during the call */
	double fraction;                                /* of the whole, 0 to 1 */
	uint64_t bytes, bytes_wanted, bytes_per_second; /* of a download; 0 where nothing is downloaded */
};

typedef void template_report(const struct template_progress *progress, void *data);

/*
 * Builds a base template, replacing one that is there, and reports at most about ten times a second. Waits
 * while somebody else builds the same one and takes theirs. -ECANCELED soon after cancel_fd (borrowed; -1 for
 * none) becomes readable. Whatever ends the build, or this process, nothing half-made stays.
 */
int template_build(const struct paths *paths, const char *name, int cancel_fd, template_report *report,
		   void *data, struct err *err);
