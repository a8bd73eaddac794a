/*
 * A journal that has grown too long is renamed and a new one begun. The watch on the file tells of lines, the
 * watch on the folder of a new file; the folder's does not ask for what is written, because the disk lies
 * there too.
 */
#include "cli/journal-read.h"

#include "base/buf.h"
#include "base/fd.h"
#include "supervisor/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <sys/stat.h>

enum {
	SOURCES_MAX = 1024,
	READ_BYTES = 65536,
	EVENTS_BYTES = 4096,
	PATH_BYTES = 64,
	LINE_MAX_BYTES = 1 << 20
};

struct source {
	char name[SANDBOX_NAME_MAX + 1];
	int dir, dir_watch;
	int file, file_watch; /* -1: there is no journal yet */
	struct buf partial;   /* of a line whose end is not written yet */
};

struct follow {
	const struct paths *paths;
	int inotify, shelf_watch; /* -1: one sandbox only */
	struct source *sources;
	size_t n_sources;
	journal_line take;
	void *owner;
	bool is_over;
};

static int watch(struct follow *follow, int fd, uint32_t mask)
{
	char path[PATH_BYTES];
	int r;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	r = inotify_add_watch(follow->inotify, path, mask);
	return r < 0 ? -errno : r;
}

/* ---- one sandbox ---- */

static void close_file(struct follow *follow, struct source *source)
{
	if (source->file < 0)
		return;
	(void)inotify_rm_watch(follow->inotify, source->file_watch);
	close(steal_fd(&source->file));
}

static void close_source(struct follow *follow, struct source *source)
{
	close_file(follow, source);
	(void)inotify_rm_watch(follow->inotify, source->dir_watch);
	close(source->dir);
	buf_done(&source->partial);
}

static void take_lines(struct follow *follow, struct source *source)
{
	struct slice text = buf_slice(&source->partial);
	const char *end;

	while (!follow->is_over && text.len > 0 && (end = memchr(text.ptr, '\n', text.len))) {
		size_t len = (size_t)(end - text.ptr);

		follow->is_over = !follow->take(follow->owner, source->name, slice_of(text.ptr, len));
		text = slice_skip(text, len + 1);
	}
	buf_drop(&source->partial, source->partial.len - text.len);
	if (source->partial.len > LINE_MAX_BYTES)
		buf_clear(&source->partial);
}

static void read_to_end(struct follow *follow, struct source *source, int fd)
{
	while (!follow->is_over && buf_read_fd(&source->partial, fd, READ_BYTES) > 0)
		take_lines(follow, source);
}

static bool is_file(int fd, int dir, const char *name)
{
	struct stat mine, there;

	return fd >= 0 && fstat(fd, &mine) == 0 && fstatat(dir, name, &there, AT_SYMLINK_NOFOLLOW) == 0 &&
	       mine.st_ino == there.st_ino && mine.st_dev == there.st_dev;
}

static int open_file(const struct source *source, const char *name)
{
	return openat(source->dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
}

/* Goes on with another file, after the rest of the last one, and after a whole one that has come and was
 * moved aside since the last look. */
static void change_file(struct follow *follow, struct source *source, int fresh)
{
	if (source->file >= 0) {
		autofd int between = -1;

		read_to_end(follow, source, source->file);
		if (!is_file(source->file, source->dir, "journal.1"))
			between = open_file(source, "journal.1");
		if (between >= 0)
			read_to_end(follow, source, between);
		close_file(follow, source);
	}
	source->file = fresh;
	source->file_watch = watch(follow, fresh, IN_MODIFY);
}

static void look(struct follow *follow, struct source *source)
{
	if (!is_file(source->file, source->dir, "journal")) {
		int fresh = open_file(source, "journal");

		if (fresh >= 0)
			change_file(follow, source, fresh);
	}
	if (source->file >= 0)
		read_to_end(follow, source, source->file);
}

/* A journal that is there already is taken from its end on, that of a new sandbox from its beginning. */
static int add_source(struct follow *follow, const char *name, bool is_new, struct err *err)
{
	struct source source = {.file = -1};

	if (follow->n_sources == SOURCES_MAX)
		return err_set(err, -E2BIG, "more than %d sandboxes cannot be followed", SOURCES_MAX);
	source.dir = sandbox_open_dir(follow->paths, SHELF_SANDBOXES, name, err);
	if (source.dir < 0)
		return source.dir;
	snprintf(source.name, sizeof(source.name), "%s", name);
	source.dir_watch = watch(follow, source.dir, IN_CREATE | IN_MOVED_TO | IN_MOVE_SELF | IN_DELETE_SELF);
	if (source.dir_watch < 0) {
		close(source.dir);
		return err_errno(err, source.dir_watch, "cannot watch sandbox '%s'", name);
	}
	source.file = is_new ? -1 : open_file(&source, "journal");
	if (source.file >= 0) {
		(void)lseek(source.file, 0, SEEK_END);
		source.file_watch = watch(follow, source.file, IN_MODIFY);
	}
	follow->sources[follow->n_sources++] = source;
	look(follow, &follow->sources[follow->n_sources - 1]);
	return 0;
}

static bool has_source(const struct follow *follow, const char *name)
{
	for (size_t i = 0; i < follow->n_sources; i++)
		if (strcmp(follow->sources[i].name, name) == 0)
			return true;
	return false;
}

static void drop_source(struct follow *follow, struct source *source)
{
	close_source(follow, source);
	*source = follow->sources[--follow->n_sources];
	if (follow->shelf_watch < 0)
		follow->is_over = true;
}

/* ---- events ---- */

static int add_all(struct follow *follow, bool is_new, struct err *err)
{
	char **names = NULL;
	int r = sandbox_names(follow->paths, SHELF_SANDBOXES, &names, err);

	for (char **name = names; r == 0 && *name; name++)
		if (!has_source(follow, *name))
			r = add_source(follow, *name, is_new, err);
	sandbox_names_free(names);
	return r;
}

/* Events were lost: whatever may have happened is looked for. */
static void look_everywhere(struct follow *follow)
{
	for (size_t i = 0; i < follow->n_sources; i++)
		look(follow, &follow->sources[i]);
	if (follow->shelf_watch >= 0)
		(void)add_all(follow, true, NULL);
}

static void on_source(struct follow *follow, struct source *source, const struct inotify_event *event)
{
	look(follow, source);
	if (event->wd == source->dir_watch && (event->mask & (IN_MOVE_SELF | IN_DELETE_SELF)))
		drop_source(follow, source);
}

static void on_event(struct follow *follow, const struct inotify_event *event)
{
	if (event->mask & IN_Q_OVERFLOW) {
		look_everywhere(follow);
		return;
	}
	if (event->wd == follow->shelf_watch) {
		if (event->len > 0 && sandbox_name_ok(event->name) && !has_source(follow, event->name))
			(void)add_source(follow, event->name, true, NULL);
		return;
	}
	for (size_t i = 0; i < follow->n_sources; i++) {
		struct source *source = &follow->sources[i];

		if (event->wd == source->dir_watch ||
		    (source->file >= 0 && event->wd == source->file_watch)) {
			on_source(follow, source, event);
			return;
		}
	}
}

static int read_events(struct follow *follow)
{
	_Alignas(struct inotify_event) char bytes[EVENTS_BYTES];
	ssize_t len = read(follow->inotify, bytes, sizeof(bytes));

	if (len < 0)
		return errno == EINTR || errno == EAGAIN ? 0 : -errno;
	for (ssize_t at = 0; at < len && !follow->is_over;) {
		const struct inotify_event *event = (const void *)(bytes + at);

		on_event(follow, event);
		at += (ssize_t)(sizeof(*event) + event->len);
	}
	return 0;
}

static int loop(struct follow *follow, struct err *err)
{
	while (!follow->is_over) {
		/* That nobody reads any more is seen also while there is nothing to write. */
		struct pollfd polls[] = {{.fd = follow->inotify, .events = POLLIN}, {.fd = STDOUT_FILENO}};
		int r = poll(polls, array_len(polls), -1);

		if (r < 0 && errno != EINTR)
			return err_errno(err, -errno, "cannot wait for the journal");
		if (r > 0 && (polls[1].revents & (POLLERR | POLLHUP)))
			return 0;
		r = r > 0 && polls[0].revents ? read_events(follow) : 0;
		if (r < 0)
			return err_errno(err, r, "cannot follow the journal");
	}
	return 0;
}

static int begin(struct follow *follow, const char *sandbox, struct err *err)
{
	int shelf;

	if (sandbox)
		return add_source(follow, sandbox, false, err);
	shelf = sandbox_open_shelf(follow->paths, SHELF_SANDBOXES, err);
	if (shelf < 0)
		return shelf;
	follow->shelf_watch = watch(follow, shelf, IN_CREATE | IN_MOVED_TO);
	close(shelf);
	if (follow->shelf_watch < 0)
		return err_errno(err, follow->shelf_watch, "cannot watch for sandboxes");
	return add_all(follow, false, err);
}

int journal_follow(const struct paths *paths, const char *sandbox, journal_line take, void *owner,
		   struct err *err)
{
	autofree struct source *sources = calloc(SOURCES_MAX, sizeof(*sources));
	autofd int inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	struct follow follow = {.paths = paths,
				.inotify = inotify,
				.shelf_watch = -1,
				.sources = sources,
				.take = take,
				.owner = owner};
	int r;

	if (!sources || inotify < 0)
		return err_errno(err, sources ? -errno : -ENOMEM, "cannot follow the journal");
	r = begin(&follow, sandbox, err);
	r = r < 0 ? r : loop(&follow, err);
	for (size_t i = 0; i < follow.n_sources; i++)
		close_source(&follow, &sources[i]);
	return r;
}
