#include "cli/cache.h"

#include "base/file.h"
#include "base/log.h"
#include "base/text.h"
#include "supervisor/sandbox.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { ITEMS_MAX = 256, LIMIT_DEFAULT_GIB = 16 };

struct item {
	const char *name; /* borrowed */
	int64_t used_ns;  /* since 1970 */
	uint64_t bytes;
};

/* What the folder's files take on the disk, without those in folders below it. */
static uint64_t bytes_in(int dir_fd, const char *name)
{
	int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	auto_dir DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;
	uint64_t bytes = 0;
	struct stat info;

	while (dir && (entry = readdir(dir)))
		if (fstatat(fd, entry->d_name, &info, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(info.st_mode))
			bytes += (uint64_t)info.st_blocks * 512;
	return bytes;
}

static uint64_t bytes_of(int shelf, const char *name)
{
	autofd int dir = file_open_dir(shelf, name);

	return bytes_in(shelf, name) + (dir < 0 ? 0 : bytes_in(dir, "saved"));
}

static int by_use(const void *a, const void *b)
{
	const struct item *left = a, *right = b;

	return (left->used_ns < right->used_ns) - (left->used_ns > right->used_ns);
}

/* The one that was used last comes first. */
static size_t list(int shelf, char **names, struct item *ret)
{
	size_t count = 0;
	struct stat info;

	for (char **name = names; *name && count < ITEMS_MAX; name++) {
		if (fstatat(shelf, *name, &info, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		ret[count++] = (struct item){.name = *name,
					     .used_ns = (int64_t)info.st_mtim.tv_sec * 1000000000 +
							info.st_mtim.tv_nsec,
					     .bytes = bytes_of(shelf, *name)};
	}
	qsort(ret, count, sizeof(*ret), by_use);
	return count;
}

static uint64_t limit_bytes(void)
{
	const char *text = getenv("SBX_CACHE_LIMIT");
	uint64_t mib;

	if (text && text_parse_mib(text, &mib) == 0)
		return mib << 20;
	if (text)
		log_line("SBX_CACHE_LIMIT is not a size such as 8g: %d GiB is used", LIMIT_DEFAULT_GIB);
	return (uint64_t)LIMIT_DEFAULT_GIB << 30;
}

struct removal {
	uint64_t limit_bytes; /* of what may stay */
	const char *keep;     /* may be NULL */
	size_t n_kept;        /* of those that were used last, whatever their size */
	uint64_t freed_bytes;
};

static int remove_starts(const struct paths *paths, struct removal *removal, struct err *err)
{
	autofd int shelf = sandbox_open_shelf(paths, SHELF_STARTS, err);
	struct item items[ITEMS_MAX];
	char **names = NULL;
	uint64_t kept = 0;
	size_t count;
	int r = shelf < 0 ? shelf : sandbox_names(paths, SHELF_STARTS, &names, err);

	if (r < 0)
		return r;
	count = list(shelf, names, items);
	for (size_t i = 0; i < count; i++) {
		bool stays =
			i < removal->n_kept || (removal->keep && strcmp(items[i].name, removal->keep) == 0);

		if (!stays && kept + items[i].bytes > removal->limit_bytes &&
		    sandbox_remove(paths, SHELF_STARTS, items[i].name, NULL) == 0)
			removal->freed_bytes += items[i].bytes;
		else
			kept += items[i].bytes;
	}
	sandbox_names_free(names);
	return 0;
}

void cache_trim(const struct paths *paths, const char *keep)
{
	struct removal removal = {.limit_bytes = limit_bytes(), .keep = keep};
	struct err err;

	if (remove_starts(paths, &removal, &err) < 0)
		log_line("the cache cannot be kept small: %s", err.text);
}

static void remove_consoles(const struct paths *paths, uint64_t *freed_bytes)
{
	int fd = file_open_dir(AT_FDCWD, paths->cache);
	auto_dir DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;
	struct stat info;

	while (dir && (entry = readdir(dir))) {
		if (strncmp(entry->d_name, "console-", 8) != 0 ||
		    fstatat(fd, entry->d_name, &info, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		if (unlinkat(fd, entry->d_name, 0) == 0)
			*freed_bytes += (uint64_t)info.st_blocks * 512;
	}
}

int cache_prune(const struct paths *paths, bool everything, uint64_t *ret_bytes, struct err *err)
{
	struct removal removal = {.n_kept = everything ? 0 : 1};
	int r = remove_starts(paths, &removal, err);

	remove_consoles(paths, &removal.freed_bytes);
	*ret_bytes = removal.freed_bytes;
	return r;
}
