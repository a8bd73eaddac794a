#include "supervisor/journal.h"

#include "base/fd.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <sys/stat.h>
#include <time.h>

enum { JOURNAL_MAX_BYTES = 4 << 20, TIME_BYTES = 32 };

static bool is_one_object(struct slice note)
{
	for (size_t i = 0; i < note.len; i++)
		if ((unsigned char)note.ptr[i] < 0x20 || note.ptr[i] == 0x7f)
			return false;
	return note.len > 2 && note.ptr[0] == '{' && note.ptr[note.len - 1] == '}';
}

static int open_journal(int dir)
{
	struct stat info;

	if (fstatat(dir, "journal", &info, AT_SYMLINK_NOFOLLOW) == 0 && info.st_size > JOURNAL_MAX_BYTES)
		(void)renameat(dir, "journal", dir, "journal.1");
	return openat(dir, "journal", O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
}

/* What every line begins with, up to where the note goes on. */
static char *make_head(const char *sandbox, const char *folder)
{
	time_t seconds = time(NULL);
	char now[TIME_BYTES];
	struct tm parts;
	json_t *json;
	char *head;

	strftime(now, sizeof(now), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&seconds, &parts));
	json = json_pack("{s:s, s:s, s:s*}", "time", now, "sandbox", sandbox, "folder", folder);
	head = json ? json_dumps(json, JSON_COMPACT) : NULL;
	json_decref(json);
	if (head)
		head[strlen(head) - 1] = '\0';
	return head;
}

static int append_lines(struct buf *lines, const char *head, struct slice notes)
{
	int r = 0;

	while (r == 0 && notes.len > 0) {
		const char *end = memchr(notes.ptr, '\n', notes.len);
		struct slice note = slice_of(notes.ptr, end ? (size_t)(end - notes.ptr) : notes.len);

		notes = slice_skip(notes, end ? note.len + 1 : note.len);
		if (is_one_object(note))
			r = buf_printf(lines, "%s,%.*s\n", head, (int)note.len - 1, note.ptr + 1);
	}
	return r;
}

void journal_add(int sandbox_dir, const char *sandbox, const char *folder, const char *notes)
{
	autofree char *head = make_head(sandbox, folder);
	auto_buf struct buf lines = {0};
	autofd int fd = -1;

	if (!head || append_lines(&lines, head, slice_text(notes)) < 0 || lines.len == 0)
		return;
	fd = open_journal(sandbox_dir);
	if (fd < 0 || fd_write_all(fd, buf_slice(&lines)) < 0)
		log_line("the journal cannot be written: %s", strerror(errno));
}
