#include "supervisor/host-file.h"

#include "base/fd.h"
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void set_path(struct host_file *file, const char *path)
{
	char *slash;

	snprintf(file->path, sizeof(file->path), "%s", path);
	snprintf(file->folder, sizeof(file->folder), "%s", file->path);
	slash = strrchr(file->folder, '/');
	if (slash)
		slash[slash == file->folder ? 1 : 0] = '\0';
}

void host_file_find(struct host_file *file, const char *path, size_t max_bytes)
{
	autofree char *found = realpath(path, NULL);

	*file = (struct host_file){.max_bytes = max_bytes};
	set_path(file, found ? found : path);
}

void host_file_find_own(struct host_file *file, const char *path, size_t max_bytes)
{
	*file = (struct host_file){.max_bytes = max_bytes, .is_own = true};
	set_path(file, path);
}

static int read_now(const struct host_file *file, struct buf *ret)
{
	autofd int fd = open(file->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | (file->is_own ? O_NOFOLLOW : 0));

	return fd < 0 ? -errno : fd_read_all(fd, file->max_bytes, ret);
}

int host_file_read(struct host_file *file)
{
	auto_buf struct buf fresh = {0};
	int r = read_now(file, &fresh);

	buf_clear(&file->last);
	file->status = r < 0 ? r : buf_append(&file->last, buf_slice(&fresh));
	return file->status;
}

static void on_event(uv_fs_event_t *watch, const char *name, int events, int status)
{
	struct host_file *file = watch->data;
	auto_buf struct buf fresh = {0};

	const char *base = strrchr(file->path, '/');
	int r;

	(void)events, (void)status;
	if (name && base && strcmp(name, base + 1) != 0)
		return;
	r = read_now(file, &fresh);
	if (r < 0)
		buf_clear(&fresh);
	if (r == file->status && fresh.len == file->last.len &&
	    memcmp(buf_text(&fresh), buf_text(&file->last), fresh.len) == 0)
		return;
	file->on_change(file->owner);
}

int host_file_watch(struct host_file *file, uv_loop_t *loop, void (*on_change)(void *owner), void *owner)
{
	int r = uv_fs_event_init(loop, &file->watch);

	file->watch.data = file;
	file->on_change = on_change;
	file->owner = owner;
	return r < 0 ? r : uv_fs_event_start(&file->watch, on_event, file->folder, 0);
}
