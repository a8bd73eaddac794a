#include "share/tell.h"

#include "base/clock.h"
#include "share/event.h"
#include "share/notice.h"
#include "share/ops.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/fanotify.h>

enum {
	PAUSE_MS = 10,         /* between two looks at events */
	COUNTED_MS = 250,      /* notices are counted for so long */
	NOTICES_MAX = 4096,    /* and there may be so many */
	READ_BYTES = 64 << 10, /* at once */
	READS_MAX = 16,
	LOOKS_MAX = 256, /* at inodes, in one turn */
};

void tell_done(struct tell *tell)
{
	news_done(&tell->news);
	free(tell->ids);
}

/* ---- events ---- */

/* Where it was found last decides whether it is watched. */
static void move(struct share *share, const struct event *event, uint64_t folder, uint64_t file)
{
	struct inode *inode = file ? inodes_find(share->inodes, file) : NULL;

	if (!inode)
		return;
	if (event->mask & (FAN_MOVED_FROM | FAN_DELETE))
		inode->watched.place = 0;
	else if (event->mask & FAN_MOVED_TO)
		inode->watched.place = folder;
}

/* The guest has looked it up there since it came, and may work in it: its name is not to be taken away. */
static bool is_known_there(const struct share *share, const struct event *event, uint64_t folder,
			   uint64_t file)
{
	const struct inode *inode = file ? inodes_find(share->inodes, file) : NULL;

	return inode && folder && inode->watched.place == folder && inode->parent &&
	       inode->parent->id == folder && slice_is(event->name, inode->name) &&
	       !(event->mask & (FAN_MOVED_FROM | FAN_DELETE));
}

/* What the guest was told before may be what it still believes. */
static void make_old(struct share *share, uint64_t id)
{
	struct inode *inode = id ? inodes_find(share->inodes, id) : NULL;

	if (inode)
		inode->watched.told = 0;
}

static void complain_of_root(struct share *share, const struct event *event)
{
	struct inode *root = inodes_find(share->inodes, INODE_ROOT);
	struct statx info;

	if (event->mask & FAN_MOVE_SELF)
		share->tell.complaint = "what is shared has been moved or renamed on the host, and is served "
					"from where it is now";
	else if (reach_stat(share, root, &info) == 0 && info.stx_nlink == 0)
		share->tell.complaint = "what is shared has been removed on the host";
}

static int take_event(struct share *share, const struct event *event)
{
	struct tell *tell = &share->tell;
	uint64_t folder = map_find(&share->watch->ids, event->folder);
	uint64_t file = map_find(&share->watch->ids, event->file);
	bool is_known;
	if (event->mask & FAN_Q_OVERFLOW)
		tell->is_flooded = true;
	is_known = is_known_there(share, event, folder, file);
	move(share, event, folder, file);
	if (event->pid == share->watch->pid)
		return 0;
	make_old(share, folder);
	make_old(share, file);
	if (event->name.len == 0 && (folder == INODE_ROOT || file == INODE_ROOT))
		complain_of_root(share, event);
	return tell->is_flooded ? 0 : news_add(&tell->news, event, folder, file, is_known);
}

static int take_events(struct share *share, struct slice bytes)
{
	struct event event;
	size_t used;
	int r = 0;

	while (r == 0 && bytes.len > 0) {
		if (event_parse(bytes, &event, &used) != PARSED_OK) {
			share->tell.is_flooded = true; /* from a kernel that speaks differently */
			return 0;
		}
		r = take_event(share, &event);
		bytes = slice_skip(bytes, used);
	}
	return r;
}

/* What is not read now is read after the pause. */
static int read_events(struct share *share)
{
	static char bytes[READ_BYTES];
	int r = 0;

	for (int i = 0; r == 0 && i < READS_MAX; i++) {
		ssize_t count = read(share->watch->group, bytes, sizeof(bytes));

		if (count < 0)
			return errno == EAGAIN || errno == EINTR ? 0 : -errno;
		r = take_events(share, slice_of(bytes, (size_t)count));
	}
	return r;
}

static void throw_away(struct news *news)
{
	auto_buf struct buf nowhere = {0};

	(void)news_write(news, &nowhere);
}

/* ---- looking at everything again ---- */

static int collect(struct inode *inode, void *data)
{
	struct tell *tell = data;

	tell->ids[tell->n_ids++] = inode->id;
	return 0;
}

void tell_all(struct share *share)
{
	if (share->watch)
		share->tell.is_all_old = true;
}

/* What is not in use, names that do not exist above all, the guest forgets; the rest is looked at. */
static int begin_again(struct share *share, struct buf *into)
{
	struct tell *tell = &share->tell;

	free(tell->ids);
	tell->n_ids = 0;
	tell->ids = calloc(inodes_count(share->inodes), sizeof(*tell->ids));
	if (!tell->ids)
		return -ENOMEM;
	(void)inodes_each(share->inodes, collect, tell);
	tell->is_all_old = tell->is_flooded = false;
	return notice_drop(into);
}

/* The folder that it lies in, if the guest knows it there. */
static struct inode *folder_of(const struct inode *inode)
{
	return inode->parent && !strchr(inode->name, '/') ? inode->parent : NULL;
}

/* By the name that it is known by, which else is told to be another's; or wherever it is now. */
static int find(struct share *share, struct inode *inode, struct statx *ret, struct buf *into)
{
	struct inode *folder = folder_of(inode);
	int at, r = 0;

	if (folder) {
		(void)watch_begin(share, folder);
		at = reach_fd(share, folder);
		if (at >= 0 && reach_stat_at(at, inode->name, ret) == 0 && inode_is(inode, ret)) {
			watch_found(share, inode, folder, at, inode->name, ret);
			return 0;
		}
		r = notice_entry(into, folder->id, slice_text(inode->name));
	}
	at = r < 0 ? r : reach_fd(share, inode);
	r = at < 0 ? at : reach_stat_at(at, "", ret);
	if (r == 0)
		watch_found(share, inode, NULL, at, "", ret);
	return r;
}

static int look(struct share *share, struct inode *inode, struct buf *into)
{
	struct statx info;
	int r = find(share, inode, &info, into);

	if (r == -ENOMEM || (r == 0 && watch_state(&info) == inode->watched.told))
		return r;
	return notice_inode(into, inode->id, true);
}

static int look_on(struct share *share, struct buf *into)
{
	struct tell *tell = &share->tell;
	int r = 0;

	for (int i = 0; r == 0 && i < LOOKS_MAX && tell->n_ids > 0; i++) {
		struct inode *inode = share_known(share, tell->ids[--tell->n_ids]);

		if (inode)
			r = look(share, inode, into);
	}
	return r;
}

/* ---- turns ---- */

static int tell_events(struct share *share, int64_t now, struct buf *into)
{
	struct tell *tell = &share->tell;
	int r;

	if (now - tell->begun_ms >= COUNTED_MS) {
		tell->begun_ms = now;
		tell->n_notices = 0;
	}
	r = read_events(share);
	tell->n_notices += tell->news.n_notices;
	tell->is_flooded |= tell->n_notices > NOTICES_MAX;
	tell->next_ms = clock_ms() + PAUSE_MS;
	if (r == 0 && !tell->is_flooded)
		return news_write(&tell->news, into);
	throw_away(&tell->news);
	tell->next_ms = tell->begun_ms + COUNTED_MS;
	tell->is_all_old = true;
	return r;
}

int tell_turn(struct share *share, struct buf *into)
{
	struct tell *tell = &share->tell;
	int64_t now = share->watch ? clock_ms() : 0;
	int r = 0;

	if (!share->watch)
		return 0;
	if (now >= tell->next_ms) {
		if (tell->is_all_old)
			r = begin_again(share, into);
		r = r < 0 ? r : tell_events(share, now, into);
	}
	r = r < 0 ? r : look_on(share, into);
	r = r < 0 ? r : buf_append(into, buf_slice(&share->watch->found));
	buf_clear(&share->watch->found);
	return r;
}

int tell_note(struct share *share)
{
	return share->watch ? tell_events(share, clock_ms(), &share->watch->found) : 0;
}

int tell_fd(const struct share *share)
{
	return share->watch && clock_ms() >= share->tell.next_ms ? share->watch->group : -1;
}

int tell_wait_ms(const struct share *share)
{
	int64_t left = share->watch ? share->tell.next_ms - clock_ms() : 0;

	if (!share->watch)
		return -1;
	if (share->tell.n_ids > 0 || share->watch->found.len > 0)
		return 0;
	return left > 0 ? (int)left : share->tell.is_all_old ? 0 : -1;
}

const char *tell_complaint(struct share *share)
{
	struct tell *tell = &share->tell;
	const char *complaint = tell->complaint;

	tell->complaint = NULL;
	if (complaint || !share->watch || !share->watch->was_full || tell->has_complained)
		return complaint;
	tell->has_complained = true;
	return "there are more folders than can be watched (fs.fanotify.max_user_marks): changes made on the "
	       "host "
	       "in some of them show inside after a second";
}
