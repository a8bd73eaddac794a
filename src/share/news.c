#include "share/news.h"

#include "share/notice.h"

#include <errno.h>
#include <sys/fanotify.h>

enum { COMES = FAN_CREATE | FAN_MOVED_TO, GOES = FAN_DELETE | FAN_MOVED_FROM };

void news_init(struct news *news)
{
	*news = (struct news){.n_folders = 0};
}

void news_done(struct news *news)
{
	buf_done(&news->names);
	buf_done(&news->inodes);
	buf_done(&news->touches);
}

static int count(struct news *news, int r)
{
	news->n_notices += r == 0;
	return r;
}

/* Where there are too many, what was said of the earlier ones is said again. */
static size_t find_folder(struct news *news, uint64_t id)
{
	for (size_t i = 0; i < news->n_folders; i++)
		if (news->folders[i].id == id)
			return i;
	if (news->n_folders == NEWS_FOLDERS_MAX)
		news->n_folders = 0;
	news->folders[news->n_folders].id = id;
	news->folders[news->n_folders].is_ended = news->folders[news->n_folders].is_changed = false;
	return news->n_folders++;
}

static int end_lookups(struct news *news, uint64_t folder)
{
	size_t at = find_folder(news, folder);

	if (news->folders[at].is_ended)
		return 0;
	news->folders[at].is_ended = true;
	return count(news, notice_entry(&news->names, folder, slice_text("")));
}

/* One that came and went may be there or not: the guest looks. */
static int change_name(struct news *news, const struct event *event, uint64_t folder, uint64_t file)
{
	news->folders[find_folder(news, folder)].is_ended = true;
	return count(news, file && (event->mask & (COMES | GOES)) == FAN_DELETE
				   ? notice_delete(&news->names, folder, file, event->name)
				   : notice_entry(&news->names, folder, event->name));
}

static int change_list(struct news *news, uint64_t folder)
{
	size_t at = find_folder(news, folder);

	if (news->folders[at].is_changed)
		return 0;
	news->folders[at].is_changed = true;
	return count(news, notice_inode(&news->inodes, folder, true));
}

/* What has gone has no name to touch. That a file was closed is no news by itself: what was written was told
 * when it was written, but for what was written through a mapping. */
static int add_touch(struct news *news, const struct event *event, uint64_t folder, uint64_t file)
{
	bool is_gone = (event->mask & GOES) && !(event->mask & COMES);

	if ((event->mask & (COMES | GOES | FAN_MODIFY | FAN_ATTRIB)) == 0 || (!folder && !file))
		return 0;
	return count(news, notice_touch(&news->touches, folder ? folder : file,
					is_gone || !folder ? slice_text("") : event->name));
}

int news_add(struct news *news, const struct event *event, uint64_t folder, uint64_t file, bool is_known)
{
	bool is_named = event->name.len > 0;
	bool is_of_list = folder && is_named && (event->mask & (COMES | GOES));
	int r = 0;

	if (is_of_list && !is_known)
		r = change_name(news, event, folder, file);
	else if (folder && is_named && (file || is_of_list))
		r = end_lookups(news, folder);
	if (r == 0 && is_of_list)
		r = change_list(news, folder);
	if (!is_named && folder)
		file = folder;
	if (r == 0 && file)
		r = count(news, notice_inode(&news->inodes, file,
					     (event->mask & (FAN_MODIFY | FAN_CLOSE_WRITE)) != 0));
	return r < 0 ? r : add_touch(news, event, folder, file);
}

int news_write(struct news *news, struct buf *into)
{
	const size_t len = news->names.len + news->inodes.len + news->touches.len;
	int r = len == 0 || buf_space(into, len) ? 0 : -ENOMEM;

	r = r < 0 ? r : buf_append(into, buf_slice(&news->names));
	r = r < 0 ? r : buf_append(into, buf_slice(&news->inodes));
	r = r < 0 ? r : buf_append(into, buf_slice(&news->touches));
	buf_clear(&news->names);
	buf_clear(&news->inodes);
	buf_clear(&news->touches);
	news->n_folders = news->n_notices = 0;
	return r;
}
