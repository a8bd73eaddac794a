#include "supervisor/place.h"

#include "base/fd.h"
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

enum {
	START_ROOM_MIN_MIB = 128,
	GO_ON_ROOM_MIB = 64,
	LOG_READ_BYTES = 8 << 20,
	LOG_NAME_BYTES = 64,
	LETTING_GO_S = 5
};

int place_open(struct place *place, enum shelf shelf, const char *name, struct sandbox *ret, struct err *err)
{
	int r = paths_open(&place->paths, err);

	r = r < 0 ? r : sandbox_load(&place->paths, shelf, name, ret, err);
	if (r < 0)
		return r;
	place->dir = sandbox_open_dir(&place->paths, shelf, name, err);
	if (place->dir < 0)
		return place->dir;
	/* One that was killed is a zombie while its threads still let go of it. */
	place->lock = sandbox_lock(place->dir, LETTING_GO_S);
	if (place->lock == -EBUSY)
		return err_set(err, place->lock,
			       "sandbox '%s' is being started by another command: try again in a moment",
			       name);
	if (place->lock < 0)
		return err_errno(err, place->lock, "cannot lock sandbox '%s'", name);
	place->run_dir = file_open_dir(AT_FDCWD, place->paths.run);
	if (place->run_dir < 0)
		return err_errno(err, place->run_dir, "cannot open '%s'", place->paths.run);
	snprintf(place->name, sizeof(place->name), "%s", name);
	/* What is no sandbox is not found by a sandbox's name. */
	snprintf(place->socket_name, sizeof(place->socket_name), "%s%s.sock",
		 shelf == SHELF_SANDBOXES ? "" : ".", name);
	return 0;
}

int place_check_room(const struct place *place, struct err *err)
{
	uint64_t left;

	if (file_space_left(place->dir, &left) < 0 || left >> 20 >= START_ROOM_MIN_MIB)
		return 0;
	return err_set(
		err, -ENOSPC,
		"only %llu MiB are free where sandbox '%s' is kept, and it needs at least %d MiB to start: "
		"free some space",
		(unsigned long long)(left >> 20), place->name, START_ROOM_MIN_MIB);
}

bool place_has_room(const struct place *place)
{
	uint64_t left = 0;

	return file_space_left(place->dir, &left) == 0 && left >> 20 >= GO_ON_ROOM_MIB;
}

int place_listen(const struct place *place, struct err *err)
{
	int listener;

	/* What is there was left behind by a supervisor that was killed. */
	place_unlisten(place);
	listener = fd_listen_unix(place->run_dir, place->socket_name);
	if (listener < 0)
		return err_errno(err, listener, "cannot make the socket of sandbox '%s'", place->name);
	return listener;
}

void place_unlisten(const struct place *place)
{
	(void)unlinkat(place->run_dir, place->socket_name, 0);
}

int place_log(const struct place *place, const char *name, struct err *err)
{
	char last[LOG_NAME_BYTES];
	int fd;

	snprintf(last, sizeof(last), "%s.1", name);
	(void)renameat(place->dir, name, place->dir, last);
	fd = openat(place->dir, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	return fd < 0 ? err_errno(err, -errno, "cannot open '%s'", name) : fd;
}

void place_last_words(const struct place *place, const char *log_name, struct buf *into)
{
	auto_buf struct buf log = {0};
	const char *begin;

	if (file_read(place->dir, log_name, LOG_READ_BYTES, &log) < 0)
		return;
	while (log.len > 0 && strchr("\n ", buf_text(&log)[log.len - 1]))
		log.len--;
	begin = log.len > 0 ? memrchr(buf_text(&log), '\n', log.len) : NULL;
	begin = begin ? begin + 1 : buf_text(&log);
	if (log.len > 0)
		(void)buf_printf(into, " (%.*s)", (int)(buf_text(&log) + log.len - begin), begin);
}

const char *place_keep_console(const struct place *place, char ret[PLACE_PATH_BYTES])
{
	autofd int cache = file_open_dir(AT_FDCWD, place->paths.cache);
	char name[SANDBOX_NAME_MAX + 32];
	auto_buf struct buf log = {0};

	snprintf(name, sizeof(name), "console-%s.log", place->name);
	if (cache < 0 || file_read(place->dir, "console.log", LOG_READ_BYTES, &log) < 0 ||
	    file_write_atomic(cache, name, 0600, buf_slice(&log), NULL) < 0)
		snprintf(ret, PLACE_PATH_BYTES, "%s/sandboxes/%s/console.log", place->paths.data,
			 place->name);
	else
		snprintf(ret, PLACE_PATH_BYTES, "%s/%s", place->paths.cache, name);
	return ret;
}
