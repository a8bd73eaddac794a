#include "supervisor/journal.h"

#include "base/fd.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <sys/stat.h>
#include <time.h>

enum { JOURNAL_MAX_BYTES = 4 << 20, TIME_BYTES = 32 };

static bool is_one_object(const char *note)
{
	size_t len = strlen(note);

	for (size_t i = 0; i < len; i++)
		if ((unsigned char)note[i] < 0x20 || note[i] == 0x7f)
			return false;
	return len > 2 && note[0] == '{' && note[len - 1] == '}';
}

static int open_journal(int dir)
{
	struct stat info;

	if (fstatat(dir, "journal", &info, AT_SYMLINK_NOFOLLOW) == 0 && info.st_size > JOURNAL_MAX_BYTES)
		(void)renameat(dir, "journal", dir, "journal.1");
	return openat(dir, "journal", O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
}

void journal_add(int sandbox_dir, const char *sandbox, const char *folder, const char *note)
{
	char now[TIME_BYTES];
	time_t seconds = time(NULL);
	struct tm parts;
	autofd int fd = -1;
	auto_buf struct buf line = {0};
	autofree char *head = NULL;
	json_t *json;

	if (!is_one_object(note))
		return;
	strftime(now, sizeof(now), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&seconds, &parts));
	json = json_pack("{s:s, s:s, s:s*}", "time", now, "sandbox", sandbox, "folder", folder);
	head = json ? json_dumps(json, JSON_COMPACT) : NULL;
	json_decref(json);
	if (!head || buf_printf(&line, "%.*s,%s\n", (int)strlen(head) - 1, head, note + 1) < 0)
		return;
	fd = open_journal(sandbox_dir);
	if (fd < 0 || fd_write_all(fd, buf_slice(&line)) < 0)
		log_line("the journal cannot be written: %s", strerror(errno));
}
