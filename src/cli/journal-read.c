#include "cli/journal-read.h"

#include "base/buf.h"
#include "base/fd.h"
#include "supervisor/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

/* Twice what a supervisor lets one grow to. */
enum { JOURNAL_MAX_BYTES = 8 << 20 };

static int open_file(int dir, const char *name)
{
	int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

static bool is_same_file(int a, int b)
{
	struct stat first, second;

	return fstat(a, &first) == 0 && fstat(b, &second) == 0 && first.st_ino == second.st_ino &&
	       first.st_dev == second.st_dev;
}

/* 1 when no more lines are wanted. A line without an end is still being written. */
static int read_file(int fd, const char *sandbox, journal_line take, void *owner)
{
	auto_buf struct buf content = {0};
	int r = fd_read_all(fd, JOURNAL_MAX_BYTES, &content);
	struct slice text = buf_slice(&content);
	const char *end;

	if (r < 0)
		return r;
	while (text.len > 0 && (end = memchr(text.ptr, '\n', text.len))) {
		size_t len = (size_t)(end - text.ptr);

		if (!take(owner, sandbox, slice_of(text.ptr, len)))
			return 1;
		text = slice_skip(text, len + 1);
	}
	return 0;
}

int journal_read(const struct paths *paths, const char *sandbox, journal_line take, void *owner,
		 struct err *err)
{
	autofd int dir = sandbox_open_dir(paths, SHELF_SANDBOXES, sandbox, err);
	autofd int now = -1, before = -1;
	int r = 0;

	if (dir < 0)
		return dir;
	/* The newer first: one that is moved aside in between is seen under both names, and not missed. */
	now = open_file(dir, "journal");
	before = open_file(dir, "journal.1");
	if (before >= 0 && (now < 0 || !is_same_file(now, before)))
		r = read_file(before, sandbox, take, owner);
	if (r == 0 && now >= 0)
		r = read_file(now, sandbox, take, owner);
	if (r == 0 && now < 0 && now != -ENOENT)
		r = now;
	return r < 0 ? err_errno(err, r, "cannot read the journal of sandbox '%s'", sandbox) : 0;
}
