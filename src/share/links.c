#include "share/links.h"

#include "base/clock.h"
#include "base/file.h"
#include "share/guard-parts.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

enum { SEARCH_ENTRIES_MAX = 2000000, SEARCH_LIMIT_MS = 30000, SEARCH_DEPTH_MAX = 100, LINKS_MAX = 4096 };

void links_done(struct links *links)
{
	free(links->entries);
	links->entries = NULL;
}

void links_forget_all(struct links *links)
{
	if (links->entries)
		memset(links->entries, 0, LINKS_KNOWN * sizeof(*links->entries));
}

/* ---- what is known ---- */

static struct links_entry *slot_of(struct links *links, uint64_t ino)
{
	if (!links->entries)
		links->entries = calloc(LINKS_KNOWN, sizeof(*links->entries));
	return links->entries ? &links->entries[ino * 0x9e3779b97f4a7c15ULL >> 50 & (LINKS_KNOWN - 1)] : NULL;
}

static void know(struct links *links, uint64_t ino, int64_t born_ns, uint32_t n_links, bool is_inside)
{
	struct links_entry *entry = slot_of(links, ino);

	if (entry)
		*entry = (struct links_entry){.ino = ino,
					      .born_ns = born_ns,
					      .at_ms = clock_ms(),
					      .n_links = n_links,
					      .is_inside = is_inside};
}

static const struct links_entry *find(struct links *links, uint64_t ino, int64_t born_ns, uint32_t n_links)
{
	const struct links_entry *entry = slot_of(links, ino);

	return entry && entry->ino == ino && entry->born_ns == born_ns && entry->n_links == n_links ? entry
												    : NULL;
}

static bool is_known_inside(struct links *links, uint64_t ino, int64_t born_ns, uint32_t n_links)
{
	const struct links_entry *entry = n_links > 1 ? find(links, ino, born_ns, n_links) : NULL;

	return n_links == 1 || (entry && entry->is_inside);
}

static int64_t born_of(const struct statx *info)
{
	return info->stx_mask & STATX_BTIME ? inode_time(&info->stx_btime) : 0;
}

void links_gain_name(struct share *share, struct inode *inode)
{
	struct links *links = &share->guard.links;
	struct statx info;

	if (reach_stat(share, inode, &info) == 0 &&
	    is_known_inside(links, info.stx_ino, born_of(&info), info.stx_nlink))
		know(links, info.stx_ino, born_of(&info), info.stx_nlink + 1, true);
}

void links_lose_name(struct share *share, struct inode *dir, const char *name)
{
	struct links *links = &share->guard.links;
	int fd = reach_fd(share, dir);
	struct statx info;

	if (fd < 0 || reach_stat_at(fd, name, &info) < 0 || !S_ISREG(info.stx_mode) || info.stx_nlink < 2)
		return;
	/* If what is known was not so any more, nothing is. */
	know(links, info.stx_ino, born_of(&info), info.stx_nlink - 1,
	     is_known_inside(links, info.stx_ino, born_of(&info), info.stx_nlink));
}

/* ---- looking for names ---- */

struct search {
	uint64_t ino, wanted, found;
	size_t n_left;
	int64_t until_ms;
	uint32_t dev_major, dev_minor;
	struct buf *paths;
	char path[PATH_MAX];
};

static int search_folder(struct search *search, int fd, size_t len, unsigned depth);

static bool is_over(struct search *search)
{
	return search->n_left-- == 0 || (search->n_left % 1024 == 0 && clock_ms() > search->until_ms);
}

static int take_found(struct search *search, size_t len)
{
	int r = buf_append(search->paths, slice_of(search->path, len + 1));

	search->found++;
	return r;
}

/* One that cannot be entered holds no name that counts. */
static int enter(struct search *search, int above, const char *name, size_t len, unsigned depth)
{
	autofd int path = reach_open_beneath(above, name);
	int fd = path < 0 ? -1 : openat(path, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? 0 : search_folder(search, fd, len, depth + 1);
}

static int look_at(struct search *search, int dir, const struct dirent *entry, size_t len, unsigned depth)
{
	size_t name_len = strlen(entry->d_name);
	unsigned type = entry->d_type;
	struct statx info;

	if (len + name_len + 2 > sizeof(search->path) || is_over(search))
		return -E2BIG;
	if (len > 0)
		search->path[len++] = '/';
	memcpy(search->path + len, entry->d_name, name_len + 1);
	len += name_len;
	if ((type == DT_UNKNOWN || entry->d_ino == search->ino) &&
	    reach_stat_at(dir, entry->d_name, &info) == 0) {
		type = S_ISDIR(info.stx_mode) ? DT_DIR : DT_REG;
		if (S_ISREG(info.stx_mode) && info.stx_ino == search->ino &&
		    info.stx_dev_major == search->dev_major && info.stx_dev_minor == search->dev_minor)
			return take_found(search, len);
	}
	return type == DT_DIR ? enter(search, dir, entry->d_name, len, depth) : 0;
}

/* Takes fd. NOLINTNEXTLINE(misc-no-recursion): as deep as is allowed */
static int search_folder(struct search *search, int fd, size_t len, unsigned depth)
{
	auto_dir DIR *dir = fdopendir(fd);
	const struct dirent *entry;
	int r = 0;

	if (!dir) {
		close(fd);
		return -ENOMEM;
	}
	if (depth > SEARCH_DEPTH_MAX)
		return -E2BIG;
	while (r == 0 && search->found < search->wanted && (entry = readdir(dir)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			r = look_at(search, dirfd(dir), entry, len, depth);
	return r;
}

int64_t links_search(int root, uint64_t ino, uint64_t wanted, struct buf *ret)
{
	struct search search = {.ino = ino,
				.wanted = wanted,
				.n_left = SEARCH_ENTRIES_MAX,
				.until_ms = clock_ms() + SEARCH_LIMIT_MS,
				.paths = ret};
	struct statx info;
	int fd = openat(root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r = fd < 0 ? -errno : reach_stat_at(fd, "", &info);

	if (r < 0) {
		if (fd >= 0)
			close(fd);
		return r;
	}
	search.dev_major = info.stx_dev_major;
	search.dev_minor = info.stx_dev_minor;
	r = search_folder(&search, fd, 0, 0);
	return r < 0 ? r : (int64_t)search.found;
}

void links_learn(struct share *share, uint64_t ino, int64_t born_ns, uint32_t n_links, int64_t result,
		 struct slice paths)
{
	bool is_inside = result == (int64_t)n_links;

	for (const char *path = paths.ptr; is_inside && path < paths.ptr + paths.len;
	     path += strlen(path) + 1)
		is_inside = judge_may(guard_place_of(share, path, false), ACT_WRITE);
	know(&share->guard.links, ino, born_ns, n_links, is_inside);
}

/* ---- asking ---- */

static int search(struct share *share, uint64_t ino, int64_t born_ns, uint32_t n_links)
{
	auto_buf struct buf paths = {0};
	int64_t result;

	if (share->pool)
		return share_search_later(share, ino, born_ns, n_links);
	result = links_search(inodes_find(share->inodes, INODE_ROOT)->fd, ino, n_links, &paths);
	links_learn(share, ino, born_ns, n_links, result, buf_slice(&paths));
	return 0;
}

static int refuse(struct share *share, struct inode *inode, enum judge_act act)
{
	char path[PATH_MAX];
	int fd = reach_fd(share, inode);

	return fd < 0 || reach_path(share, fd, path) < 0
		       ? -EACCES
		       : guard_refuse(share, path, act, "reason", "hard link");
}

/* The name of a removed file says so at its end, as may any other. */
static bool may_be_removed(struct share *share, struct inode *inode)
{
	static const char removed[] = " (deleted)";
	char path[PATH_MAX];
	int fd = reach_fd(share, inode);
	int len = fd < 0 ? fd : reach_path(share, fd, path);

	return len < 0 || (len >= (int)strlen(removed) && strcmp(path + len - strlen(removed), removed) == 0);
}

int links_check(struct share *share, struct inode *inode, enum judge_act act)
{
	struct links *links = &share->guard.links;
	const struct links_entry *entry;
	struct statx info;
	int r = inode->type == S_IFREG ? reach_stat(share, inode, &info) : 0;

	if (r < 0 || inode->type != S_IFREG)
		return r;
	if (info.stx_nlink == 0 || (info.stx_nlink == 1 && !may_be_removed(share, inode)))
		return info.stx_nlink == 0;
	if (info.stx_nlink > LINKS_MAX)
		return refuse(share, inode, act);
	entry = find(links, info.stx_ino, born_of(&info), info.stx_nlink);
	if (!entry || (!entry->is_inside && clock_ms() - entry->at_ms > LINKS_AGAIN_MS)) {
		r = search(share, info.stx_ino, born_of(&info), info.stx_nlink);
		entry = r < 0 ? NULL : find(links, info.stx_ino, born_of(&info), info.stx_nlink);
	}
	if (r < 0)
		return r;
	return entry && entry->is_inside ? 0 : refuse(share, inode, act);
}
