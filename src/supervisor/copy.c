#include "supervisor/copy.h"

#include "base/fd.h"
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

static int new_file(int dir, const char *name, int flags, struct err *err)
{
	int fd = openat(dir, name, flags | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

	return fd < 0 ? err_errno(err, -errno, "cannot make the file '%s' of a copy", name) : fd;
}

static int copy_file(int from_dir, const char *from, int into_dir, const char *into, struct err *err)
{
	autofd int source = openat(from_dir, from, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	autofd int target = -1;

	if (source < 0)
		return err_errno(err, -errno, "cannot open '%s' to copy it", from);
	target = new_file(into_dir, into, O_WRONLY, err);
	return target < 0 ? target : file_copy_sparse(source, target, err);
}

static int link_or_copy(int from_dir, const char *from, int into_dir, const char *into, struct err *err)
{
	if (linkat(from_dir, from, into_dir, into, 0) == 0)
		return 0;
	return copy_file(from_dir, from, into_dir, into, err);
}

/* Nobody may remove or start it meanwhile; others may copy it too. */
static int lock_shared(int dir)
{
	autofd int fd = openat(dir, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0)
		return -errno;
	if (flock(fd, LOCK_SH | LOCK_NB) < 0)
		return errno == EWOULDBLOCK ? -EBUSY : -errno;
	return steal_fd(&fd);
}

static int copy_state(int from_dir, enum shelf shelf, const struct stage *stage, struct saved *saved,
		      struct err *err)
{
	autofd int from = file_open_dir(from_dir, "saved"), into = -1, disk = -1;
	int r;

	if (mkdirat(stage->dir, "saved", 0700) < 0)
		return err_errno(err, -errno, "cannot make a folder for the saved state");
	into = file_open_dir(stage->dir, "saved");
	r = link_or_copy(from, "devices", into, "devices", err);
	if (r == 0 && faccessat(from, "folders", F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		r = link_or_copy(from, "folders", into, "folders", err);
	if (r == 0 && shelf == SHELF_STARTS) {
		r = link_or_copy(from, "memory", stage->dir, "base", err);
		memcpy(saved->base, saved->id, sizeof(saved->base));
		saved->base_bytes = saved->memory_bytes;
		saved->memory_bytes = 0;
		saved->id[0] = '\0';
	} else if (r == 0) {
		r = saved->base[0] ? link_or_copy(from_dir, "base", stage->dir, "base", err) : 0;
		if (r == 0 && saved->memory_bytes > 0)
			r = link_or_copy(from, "memory", into, "memory", err);
	}
	if (r < 0)
		return r;
	disk = openat(stage->dir, "disk.img", O_RDONLY | O_CLOEXEC);
	return saved_write(into, disk, saved, err);
}

int copy_still(const struct paths *paths, enum shelf shelf, const char *name, const struct stage *stage,
	       struct err *err)
{
	autofd int dir = sandbox_open_dir(paths, shelf, name, err);
	autofd int lock = -1;
	struct saved saved;
	int r;

	if (dir < 0)
		return dir;
	lock = lock_shared(dir);
	if (lock == -EBUSY)
		return err_set(err, lock, "%s '%s' is in use", sandbox_word(shelf), name);
	if (lock < 0)
		return err_errno(err, lock, "cannot lock %s '%s'", sandbox_word(shelf), name);
	r = saved_read(dir, "saved", &saved, err);
	if (r < 0 && shelf == SHELF_STARTS)
		return r;
	if (copy_file(dir, "disk.img", stage->dir, "disk.img", err) < 0)
		return err_add(err, -EIO, "copying '%s'", name);
	/* What is used last is removed last (start.h). */
	if (shelf == SHELF_STARTS)
		(void)futimens(dir, NULL);
	return r < 0 ? 0 : copy_state(dir, shelf, stage, &saved, err);
}

int copy_open(const struct stage *stage, struct copy_files *ret, struct err *err)
{
	autofd int saved = -1;

	*ret = (struct copy_files){-1, -1, -1, -1};
	if (mkdirat(stage->dir, "saved", 0700) < 0)
		return err_errno(err, -errno, "cannot make a folder for the saved state");
	saved = file_open_dir(stage->dir, "saved");
	ret->disk = new_file(stage->dir, "disk.img", O_RDWR, err);
	ret->devices = ret->disk < 0 ? -1 : new_file(saved, "devices", O_WRONLY, err);
	ret->memory = ret->devices < 0 ? -1 : new_file(saved, "memory", O_RDWR, err);
	ret->folders = ret->memory < 0 ? -1 : new_file(saved, "folders", O_RDWR, err);
	return ret->folders < 0 ? -EIO : 0;
}

void copy_close(struct copy_files *files)
{
	int *const all[] = {&files->disk, &files->devices, &files->memory, &files->folders};

	for (size_t i = 0; i < array_len(all); i++)
		if (*all[i] >= 0)
			close(steal_fd(all[i]));
}

int copy_finish(const struct paths *paths, const char *name, const struct stage *stage,
		const struct copy_files *files, struct saved *saved, struct err *err)
{
	autofd int dir = sandbox_open_dir(paths, SHELF_SANDBOXES, name, err);
	autofd int into = file_open_dir(stage->dir, "saved");
	int r = dir < 0 ? dir : 0;

	if (r == 0 && saved->base[0])
		r = link_or_copy(dir, "base", stage->dir, "base", err);
	if (r == 0 && (fsync(files->disk) < 0 || fsync(files->devices) < 0 || fsync(files->memory) < 0 ||
		       fsync(files->folders) < 0))
		r = err_errno(err, -errno, "cannot write the copy");
	r = r < 0 ? r : saved_describe(into, saved, err);
	return r < 0 ? r : saved_write(into, files->disk, saved, err);
}
