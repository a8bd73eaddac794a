/*
 * What the files of sbx-builder share. The role builds one template and ends; it reads the log of Debian's
 * tools, so it runs apart from everything else, but with the user's rights, because mmdebstrap needs them.
 *
 * On disk, all in the templates folder and all under the lock:
 *   .NAME.lock           locked as long as a build of NAME, or an orphaned tool of one, runs
 *   .new-NAME-XXXXXXXX   the template while it is made; `scratch` in it names the folder under /var/tmp that
 *                        belongs to it, so that whoever finds the one can remove the other
 *   NAME                 the template
 */
#pragma once

#include "base/err.h"
#include "base/paths.h"
#include "image/progress.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum { BUILDER_WORK_BYTES = 96, BUILDER_SCRATCH_BYTES = 48 };

struct builder {
	const char *name, *folder, *cache;
	int folder_fd, lock_fd, channel, signals;
	int work_fd; /* the folder `work` */
	char work[BUILDER_WORK_BYTES];
	char scratch[BUILDER_SCRATCH_BYTES]; /* absolute */
	char log_path[PATH_ROOM_BYTES];
	struct progress progress;
	int64_t sent_ms, fetch_ms; /* last event; begin of the download */
	enum progress_phase sent_phase;
};

/* builder.c */

/*
 * Waits until fd (-1 for none) is readable: 1, or 0 after limit_ms. -ECANCELED when the caller has gone or a
 * signal asks for the end.
 */
int builder_wait(const struct builder *builder, int fd, int limit_ms);

void builder_tell(struct builder *builder, const char *what, double fraction);

/* builder-check.c: what can be known before anything is begun. */
int builder_check(const struct builder *builder, struct err *err);
int builder_find_tool(const char *name, char ret[PATH_ROOM_BYTES]);
int builder_disk_full(const struct builder *builder, struct err *err);

/* builder-scratch.c: the temporary folders, and those of builds that were killed. */
int builder_remove_leftovers(const struct builder *builder, struct err *err);
int builder_make_folders(struct builder *builder, struct err *err);
int builder_remove_scratch(const struct builder *builder, struct err *err);

/* builder-run.c: mmdebstrap. Fills the work folder with the files of the template. */
int builder_run(struct builder *builder, struct err *err);
