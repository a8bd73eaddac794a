#include "share/watch.h"

#include "base/clock.h"
#include "share/event.h"
#include "share/notice.h"
#include "share/ops.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <sys/fanotify.h>
#include <sys/vfs.h>

/*
 * Each mark keeps an inode in the host kernel's memory, and all sandboxes of a user share what he may have.
 * Files leave room for folders.
 */
enum { FOLDERS_MAX = 65536, FILES_MAX = 16384, REST_MS = 10000, HANDLE_MAX_BYTES = 128 };

/* Since Linux 6.5: the handle as fanotify tells it, also where it cannot be opened. */
#ifndef AT_HANDLE_FID
#define AT_HANDLE_FID 0x200
#endif

#ifndef BCACHEFS_SUPER_MAGIC
#define BCACHEFS_SUPER_MAGIC 0xca451a4e
#endif
#define ZFS_SUPER_MAGIC 0x2fc12fc1

#define FILE_EVENTS (FAN_MODIFY | FAN_ATTRIB | FAN_CLOSE_WRITE)
#define FOLDER_EVENTS                                                                                 \
	(FILE_EVENTS | FAN_CREATE | FAN_DELETE | FAN_MOVED_FROM | FAN_MOVED_TO | FAN_EVENT_ON_CHILD | \
	 FAN_ONDIR)

/* ---- the group ---- */

/* Whom a name's file is, which tells of those that are removed, Linux says since 5.17. */
int watch_open(void)
{
	const unsigned flags =
		FAN_CLASS_NOTIF | FAN_CLOEXEC | FAN_NONBLOCK | FAN_REPORT_FID | FAN_REPORT_DFID_NAME;
	int group = fanotify_init(flags | FAN_REPORT_TARGET_FID, O_RDONLY);

	if (group < 0 && errno == EINVAL)
		group = fanotify_init(flags, O_RDONLY);
	return group < 0 ? -errno : group;
}

/* Those whose files nobody changes but by way of this host's kernel. */
static bool is_local(int fd)
{
	static const unsigned long types[] = {EXT4_SUPER_MAGIC,     XFS_SUPER_MAGIC, BTRFS_SUPER_MAGIC,
					      F2FS_SUPER_MAGIC,     TMPFS_MAGIC,     OVERLAYFS_SUPER_MAGIC,
					      BCACHEFS_SUPER_MAGIC, ZFS_SUPER_MAGIC};
	struct statfs info;

	if (fstatfs(fd, &info) < 0)
		return false;
	for (size_t i = 0; i < array_len(types); i++)
		if ((unsigned long)info.f_type == types[i])
			return true;
	return false;
}

/* ---- handles ---- */

static uint64_t read_handle(int at, const char *name)
{
	union {
		struct file_handle head;
		char room[sizeof(struct file_handle) + HANDLE_MAX_BYTES];
	} handle = {.head = {.handle_bytes = HANDLE_MAX_BYTES}};
	int flags = *name ? 0 : AT_EMPTY_PATH;
	int mount, r;

	r = name_to_handle_at(at, name, &handle.head, &mount, flags | AT_HANDLE_FID);
	if (r < 0 && errno == EINVAL) {
		handle.head.handle_bytes = HANDLE_MAX_BYTES;
		r = name_to_handle_at(at, name, &handle.head, &mount, flags);
	}
	return r < 0 ? 0
		     : event_handle(handle.head.handle_type,
				    slice_of(handle.room + sizeof(handle.head), handle.head.handle_bytes));
}

/* What has the name may have been exchanged meanwhile: then the handle is not the inode's. */
static void learn_handle(struct watch *watch, struct inode *inode, int at, const char *name,
			 struct statx *info)
{
	uint64_t handle = read_handle(at, name);
	struct statx now;

	if (handle == 0 || reach_stat_at(at, name, &now) < 0 || !inode_is(inode, &now))
		return;
	*info = now;
	if (map_put(&watch->ids, handle, inode->id) == 0)
		inode->watched.handle = handle;
}

/* ---- marks ---- */

/* By a descriptor that had to be opened: what this process may not read it may not watch either, and its jail
 * lets it name nothing by a path here. */
static int set_mark(struct share *share, struct inode *inode, unsigned action, uint64_t events)
{
	autofd int fd = reach_open(share, inode, O_RDONLY);

	if (fd < 0)
		return fd;
	return fanotify_mark(share->watch->group, action, events, fd, NULL) < 0 ? -errno : 0;
}

static uint64_t events_of(const struct inode *inode)
{
	return (inode->type == S_IFDIR ? FOLDER_EVENTS : FILE_EVENTS) |
	       (inode->id == INODE_ROOT ? FAN_MOVE_SELF : 0);
}

static size_t *count_of(struct watch *watch, const struct inode *inode)
{
	return inode->type == S_IFDIR ? &watch->n_folders : &watch->n_files;
}

static bool has_room(struct watch *watch, const struct inode *inode)
{
	if (inode->type != S_IFDIR)
		return watch->n_files < FILES_MAX;
	if (watch->n_folders < watch->max_folders)
		return true;
	watch->was_full = true;
	return false;
}

static bool may_begin(struct watch *watch, const struct inode *inode)
{
	if (inode->watched.is_marked || inode->watched.is_refused)
		return false;
	if ((inode->type != S_IFDIR && inode->type != S_IFREG) || !has_room(watch, inode))
		return false;
	return watch->rest_ms == 0 || clock_ms() >= watch->rest_ms;
}

/* One of an earlier life has none yet. */
static void find_handle(struct share *share, struct inode *inode)
{
	int fd = inode->watched.handle ? -1 : reach_fd(share, inode);
	struct statx info;

	if (fd >= 0)
		learn_handle(share->watch, inode, fd, "", &info);
}

bool watch_begin(struct share *share, struct inode *inode)
{
	struct watch *watch = share->watch;
	bool is_full;
	int r;

	if (!watch || !may_begin(watch, inode))
		return false;
	find_handle(share, inode);
	if (!inode->watched.handle)
		return false;
	r = set_mark(share, inode, FAN_MARK_ADD, events_of(inode));
	is_full = r == -ENOSPC || r == -ENOMEM || r == -ENFILE || r == -EMFILE;
	watch->rest_ms = is_full ? clock_ms() + REST_MS : 0;
	watch->was_full |= is_full;
	inode->watched.is_refused = r < 0 && !is_full;
	inode->watched.is_marked = r == 0;
	*count_of(watch, inode) += r == 0;
	return r == 0;
}

/* A mark that cannot be reached any more stays; what comes of it is of nothing that is known. */
void watch_end(struct share *share, struct inode *inode)
{
	struct watch *watch = share->watch;

	if (!watch)
		return;
	map_remove(&watch->ids, inode->watched.handle, inode->id);
	if (!inode->watched.is_marked)
		return;
	(void)set_mark(share, inode, FAN_MARK_REMOVE, events_of(inode));
	--*count_of(watch, inode);
}

void watch_changed(struct share *share, const struct inode *inode)
{
	if (share->watch)
		(void)notice_inode(&share->watch->found, inode->id, true);
}

void watch_found(struct share *share, struct inode *inode, const struct inode *dir, int at, const char *name,
		 struct statx *info)
{
	if (!share->watch)
		return;
	inode->watched.place = dir && dir->watched.is_marked ? dir->id : 0;
	if (!inode->watched.handle)
		learn_handle(share->watch, inode, at, name, info);
	if ((inode->type == S_IFDIR || info->stx_nlink > 1) && watch_begin(share, inode))
		(void)reach_stat(share, inode, info);
}

int watch_stat(struct share *share, struct inode *inode, struct statx *ret)
{
	int r;

	if (inode->type == S_IFDIR)
		(void)watch_begin(share, inode);
	r = reach_stat(share, inode, ret);
	if (r == 0 && inode->type == S_IFREG && ret->stx_nlink > 1 && watch_begin(share, inode))
		r = reach_stat(share, inode, ret);
	return r;
}

/* ---- how long things are good ---- */

uint64_t watch_state(const struct statx *info)
{
	return ((uint64_t)inode_time(&info->stx_ctime) ^ info->stx_size * 0x9e3779b97f4a7c15ULL) | 1;
}

uint32_t watch_name_seconds(const struct inode *dir)
{
	return dir && dir->watched.is_marked ? WATCH_LONG_SECONDS : WATCH_SHORT_SECONDS;
}

static bool is_covered(const struct share *share, const struct inode *inode, const struct statx *info)
{
	const struct inode *place;

	if (inode->watched.is_marked)
		return true;
	if (inode->type == S_IFDIR || !inode->watched.handle || info->stx_nlink != 1)
		return false;
	place = inode->watched.place ? inodes_find(share->inodes, inode->watched.place) : NULL;
	return place && place->watched.is_marked;
}

/* Where no event would tell that the content has changed, the attributes do. */
uint32_t watch_attr_seconds(struct share *share, struct inode *inode, const struct statx *info)
{
	uint64_t told = inode->watched.told;

	inode->watched.told = watch_state(info);
	if (!share->watch)
		return WATCH_SHORT_SECONDS;
	if (is_covered(share, inode, info))
		return WATCH_LONG_SECONDS;
	if (told && told != inode->watched.told)
		watch_changed(share, inode);
	return WATCH_SHORT_SECONDS;
}

/* ---- its life ---- */

int share_watch(struct share *share, int group)
{
	struct inode *root = inodes_find(share->inodes, INODE_ROOT);
	struct watch *watch = calloc(1, sizeof(*watch));

	if (!watch) {
		close(group);
		return -ENOMEM;
	}
	*watch = (struct watch){.group = group, .pid = getpid(), .max_folders = FOLDERS_MAX};
	map_init(&watch->ids);
	share->watch = watch;
	if (is_local(root->fd) && watch_begin(share, root))
		return 0;
	share->watch = NULL;
	root->watched = (struct watched){.handle = 0};
	watch_free(watch);
	return -EOPNOTSUPP;
}

void watch_free(struct watch *watch)
{
	if (!watch)
		return;
	close(watch->group);
	map_done(&watch->ids);
	buf_done(&watch->found);
	free(watch);
}
