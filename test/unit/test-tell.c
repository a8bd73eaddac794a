/*
 * A folder that is watched: what others change on the host is told soon, what the guest has changed is not.
 * By the host's real kernel; where it cannot watch the folder of the test, every test says that it is
 * skipped.
 */
#include "share/tell.h"

#include "base/clock.h"
#include "share/ops.h"
#include "share/state.h"

#include "unit.h"

#include "../lib/notices.h"
#include "../lib/share-place.h"

#include <errno.h>
#include <grp.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/wait.h>

enum { EDITS = 20, SOON_MS = 100, LIMIT_MS = 10000, NOBODY = 65534 };

static struct buf told; /* as describe() says it */

static int watch(struct place *place)
{
	int group = watch_open();

	return group < 0 ? group : share_watch(place->share, group);
}

static int set_up_watched(void **state)
{
	int r = set_up(state);
	struct place *place = *state;

	buf_clear(&told);
	if (watch(place) < 0)
		print_message("skipped: this host cannot watch %s\n", place->path);
	return r;
}

static int tear_down_watched(void **state)
{
	buf_done(&told);
	buf_init(&told);
	return tear_down(state);
}

static struct place *watched(void **state)
{
	struct place *place = *state;

	if (!place->share->watch)
		skip();
	return place;
}

/* By a process of its own. */
static void elsewhere(struct place *place, void (*change)(struct place *place))
{
	pid_t pid = fork();
	int status = 1;

	if (pid == 0) {
		change(place);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* Collects what there is to tell until some of it is that; false after a while. */
static bool hear(struct place *place, const char *line, int64_t limit_ms)
{
	int64_t end = clock_ms() + limit_ms;

	while (!strstr(buf_text(&told), line)) {
		struct pollfd ready = {.fd = tell_fd(place->share), .events = POLLIN};
		int64_t left = end - clock_ms();
		int wait_ms = tell_wait_ms(place->share);
		auto_buf struct buf notices = {0};

		if (left <= 0)
			return false;
		assert_true(poll(&ready, 1, wait_ms < 0 || wait_ms > left ? (int)left : wait_ms) >= 0);
		assert_int_equal(tell_turn(place->share, &notices), 0);
		describe(buf_slice(&notices), &told);
	}
	return true;
}

/* format is text, with a %d for the number or without. */
static void line_of(const char *format, uint64_t number, char *ret, size_t room)
{
	const char *place = strstr(format, "%d");

	if (place)
		snprintf(ret, room, "%.*s%d%s", (int)(place - format), format, (int)number, place + 2);
	else
		snprintf(ret, room, "%s", format);
}

static void expect_told(struct place *place, const char *format, uint64_t number)
{
	char line[64];

	line_of(format, number, line, sizeof(line));
	if (!hear(place, line, LIMIT_MS))
		fail_msg("not told: %s, but: %s", line, buf_text(&told));
}

static void expect_not_told(const char *format, uint64_t number)
{
	char line[64];

	line_of(format, number, line, sizeof(line));
	if (strstr(buf_text(&told), line))
		fail_msg("told: %s", buf_text(&told));
}

static void make_mark(struct place *place)
{
	if (mkdirat(place->dir, "mark", 0755) < 0)
		_exit(1);
}

/* All that has happened before is told before this. */
static void hear_all(struct place *place)
{
	elsewhere(place, make_mark);
	expect_told(place, "touch 1 'mark'\n", 0);
	assert_int_equal(unlinkat(place->dir, "mark", AT_REMOVEDIR), 0);
}

static struct fuse_entry_out last_entry(const struct client *client)
{
	struct fuse_entry_out entry;

	assert_true(client->body.len >= sizeof(entry));
	memcpy(&entry, client->body.ptr, sizeof(entry));
	return entry;
}

static uint64_t attr_seconds(struct client *client, uint64_t node)
{
	struct fuse_attr_out attr;

	assert_int_equal(client_ask(client, FUSE_GETATTR, node, NONE, NONE, NONE), 0);
	assert_true(client->body.len >= sizeof(attr));
	memcpy(&attr, client->body.ptr, sizeof(attr));
	return attr.attr_valid;
}

static void write_at(int dir, const char *name, const char *text)
{
	autofd int fd = openat(dir, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		_exit(1);
}

static void write_file(struct place *place)
{
	write_at(place->dir, "file", "changed");
}

static void write_new(struct place *place)
{
	write_at(place->dir, "new", "content");
}

/* ---- what is told ---- */

static void test_times(void **state)
{
	struct place *place = watched(state);
	struct client *client = &place->client;
	uint64_t node = look(client, ROOT, "file"), none;

	assert_int_equal(last_entry(client).entry_valid, WATCH_LONG_SECONDS);
	assert_int_equal(last_entry(client).attr_valid, WATCH_LONG_SECONDS);
	assert_int_equal(attr_seconds(client, node), WATCH_LONG_SECONDS);
	assert_int_equal(attr_seconds(client, ROOT), WATCH_LONG_SECONDS);
	node = look(client, ROOT, "folder");
	assert_int_equal(last_entry(client).attr_valid, WATCH_LONG_SECONDS);
	/* That there is none is an answer that can be kept. */
	assert_int_equal(client_look(client, node, "nothing", &none), 0);
	assert_int_equal(none, 0);
	assert_int_equal(last_entry(client).entry_valid, WATCH_LONG_SECONDS);
}

/* A few may be late where many tests run at once. */
static void test_soon(void **state)
{
	struct place *place = watched(state);
	uint64_t node = look(&place->client, ROOT, "file");
	unsigned n_late = 0;

	for (int i = 0; i < EDITS; i++) {
		int64_t before;

		buf_clear(&told);
		before = clock_ms();
		elsewhere(place, write_file);
		expect_told(place, "content %d\n", node);
		n_late += clock_ms() - before > SOON_MS;
		expect_told(place, "touch 1 'file'\n", 0);
	}
	assert_in_range(n_late, 0, EDITS / 4);
}

static void test_own_changes(void **state)
{
	struct place *place = watched(state);
	struct client *client = &place->client;
	uint64_t node, handle, folder;

	assert_int_equal(client_create(client, ROOT, "own", O_RDWR, 0644, &node, &handle), 0);
	assert_int_equal(client_write(client, node, handle, 0, slice_text("bytes")), 0);
	assert_int_equal(client_mkdir(client, ROOT, "own-folder", &folder), 0);
	assert_int_equal(client_rename(client, ROOT, "own", folder, "moved", 0), 0);
	assert_int_equal(client_ask(client, FUSE_UNLINK, folder, client_name("moved"), NONE, NONE), 0);
	hear_all(place);
	assert_string_equal(buf_text(&told), "entry 1 'mark'\ncontent 1\ntouch 1 'mark'\n");
}

static void make_odd_names(struct place *place)
{
	write_at(place->dir, "\xff\xfe\n'", "");
	write_at(place->dir, "..x", "");
	if (renameat(place->dir, "..x", place->dir, " ") < 0)
		_exit(1);
}

static void test_names(void **state)
{
	struct place *place = watched(state);
	uint64_t none;

	assert_int_equal(client_look(&place->client, ROOT, "\xff\xfe\n'", &none), 0);
	assert_int_equal(none, 0);
	elsewhere(place, make_odd_names);
	expect_told(place, "touch 1 ' '\n", 0);
	expect_told(place, "entry 1 '\xff\xfe\n''\n", 0);
	expect_told(place, "entry 1 '..x'\n", 0);
	expect_told(place, "entry 1 ' '\n", 0);
}

static void write_config(struct place *place)
{
	write_at(place->dir, ".git/config", "[user]\n\tname = other\n");
}

/* The server puts a copy of what the guest has written into its place: the guest's number means that. */
static void test_file_that_becomes_a_copy(void **state)
{
	struct place *place = watched(state);
	struct client *client = &place->client;
	uint64_t git, config, handle;
	struct stat before, after;

	assert_int_equal(client_mkdir(client, ROOT, ".git", &git), 0);
	assert_int_equal(client_create(client, git, "config.lock", O_RDWR, 0644, &config, &handle), 0);
	assert_int_equal(client_write(client, config, handle, 0, slice_text("[user]\n\tname = one\n")), 0);
	assert_int_equal(fstatat(place->dir, ".git/config.lock", &before, 0), 0);
	assert_int_equal(client_rename(client, git, "config.lock", git, "config", 0), 0);
	assert_int_equal(fstatat(place->dir, ".git/config", &after, 0), 0);
	assert_int_not_equal(before.st_ino, after.st_ino);
	expect_told(place, "content %d\n", config);
	hear_all(place);
	buf_clear(&told);
	elsewhere(place, write_config);
	expect_told(place, "content %d\n", config);
}

static void remove_file(struct place *place)
{
	if (unlinkat(place->dir, "file", 0) < 0)
		_exit(1);
}

static void test_removed(void **state)
{
	struct place *place = watched(state);
	uint64_t node = look(&place->client, ROOT, "file");

	elsewhere(place, remove_file);
	expect_told(place, "touch 1 ''\n", 0);
	expect_told(place, "delete 1 %d 'file'\n", node);
	expect_told(place, "content 1\n", 0);
}

static void replace_file(struct place *place)
{
	write_at(place->dir, "other", "what replaces it");
	if (renameat(place->dir, "other", place->dir, "file") < 0)
		_exit(1);
}

static void test_replaced(void **state)
{
	struct place *place = watched(state);
	uint64_t node = look(&place->client, ROOT, "file");

	elsewhere(place, replace_file);
	expect_told(place, "touch 1 'file'\n", 0);
	expect_told(place, "entry 1 'file'\n", 0);
	assert_true(look(&place->client, ROOT, "file") != node);
}

/* Its name must stay to who works in it. */
static void test_found_before_it_is_told(void **state)
{
	struct place *place = watched(state);

	elsewhere(place, make_mark);
	assert_true(look(&place->client, ROOT, "mark") > ROOT);
	expect_told(place, "touch 1 'mark'\n", 0);
	expect_not_told("entry 1 'mark'", 0);
	expect_told(place, "content 1\n", 0);
}

static void move_folder(struct place *place)
{
	if (mkdirat(place->dir, "outer", 0755) < 0 ||
	    renameat(place->dir, "folder", place->dir, "outer/in") < 0)
		_exit(1);
}

static void write_in_moved(struct place *place)
{
	write_at(place->dir, "outer/in/file", "changed");
}

static void test_moved_folder(void **state)
{
	struct place *place = watched(state);
	uint64_t folder = look(&place->client, ROOT, "folder"), file, handle;

	assert_int_equal(client_create(&place->client, folder, "file", O_RDWR, 0644, &file, &handle), 0);
	elsewhere(place, move_folder);
	expect_told(place, "entry 1 'folder'\n", 0);
	elsewhere(place, write_in_moved);
	expect_told(place, "content %d\n", file);
	expect_told(place, "touch %d 'file'\n", folder);
}

static void write_in_folder(struct place *place)
{
	write_at(place->dir, "folder/file", "content");
}

static void test_forgotten_folder(void **state)
{
	struct place *place = watched(state);
	uint64_t folder = look(&place->client, ROOT, "folder");
	struct fuse_forget_in forget = {.nlookup = 1};

	elsewhere(place, write_in_folder);
	expect_told(place, "touch %d 'file'\n", folder);
	hear_all(place);
	buf_clear(&told);
	assert_int_equal(client_ask(&place->client, FUSE_FORGET, folder, STRUCT(forget), NONE, NONE), 0);
	elsewhere(place, write_in_folder);
	hear_all(place);
	assert_string_equal(buf_text(&told), "entry 1 'mark'\ncontent 1\ntouch 1 'mark'\n");
}

/* By a name in a folder that nobody has looked into. */
static void test_other_name(void **state)
{
	struct place *place = watched(state);
	uint64_t node;

	assert_int_equal(linkat(place->dir, "file", place->dir, "folder/file", 0), 0);
	node = look(&place->client, ROOT, "file");
	assert_int_equal(last_entry(&place->client).attr_valid, WATCH_LONG_SECONDS);
	elsewhere(place, write_in_folder);
	expect_told(place, "content %d\n", node);
}

/* ---- too much, and too little ---- */

static void make_many(struct place *place)
{
	auto_buf struct buf text = {0};
	long count;
	char name[32];

	if (file_read(AT_FDCWD, "/proc/sys/fs/fanotify/max_queued_events", 64, &text) < 0)
		_exit(1);
	count = strtol(buf_text(&text), NULL, 10) + 10;
	write_file(place);
	for (long i = 0; i < count; i++) {
		snprintf(name, sizeof(name), "folder/%ld", i);
		if (mknodat(place->dir, name, S_IFREG | 0644, 0) < 0)
			_exit(1);
	}
	write_at(place->dir, "late", "after the kernel has lost count");
}

static void test_overflow(void **state)
{
	struct place *place = watched(state);
	struct client *client = &place->client;
	uint64_t folder, file, late, still;

	elsewhere(place, write_new);
	write_at(place->dir, "late", "");
	hear_all(place);
	folder = look(client, ROOT, "folder");
	file = look(client, ROOT, "file");
	late = look(client, ROOT, "late");
	still = look(client, ROOT, "new");
	hear_all(place);
	buf_clear(&told);
	elsewhere(place, make_many);
	expect_told(place, "drop\n", 0);
	expect_told(place, "content %d\n", folder);
	expect_told(place, "content %d\n", file);
	expect_told(place, "content %d\n", late);
	hear_all(place);
	expect_not_told("content %d\n", still);
}

/* One of this process's own: it reaches files by its descriptors. */
static void begin_again(struct place *place)
{
	int root = open(place->path, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (share_new(root, false, &place->share) < 0)
		_exit(1);
	place->client.server = place->share;
	if (client_init(&place->client) < 0)
		_exit(1);
}

/* In a user name space of its own, which may be given less. */
static void limit_marks(void)
{
	autofd int fd = -1;

	if (unshare(CLONE_NEWUSER) < 0)
		_exit(77);
	fd = open("/proc/sys/user/max_fanotify_marks", O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, "2", 1) != 1)
		_exit(77);
}

static bool is_kept(struct place *place, uint64_t dir, const char *name, uint64_t seconds)
{
	uint64_t node;

	return client_look(&place->client, dir, name, &node) == 0 &&
	       last_entry(&place->client).entry_valid == seconds;
}

/* The root and one folder are watched, another is not. */
static int run_limited(struct place *place)
{
	uint64_t first, second;
	const char *complaint;

	limit_marks();
	begin_again(place);
	if (watch(place) < 0 || mkdirat(place->dir, "second", 0755) < 0)
		return 77;
	write_at(place->dir, "folder/file", "");
	write_at(place->dir, "second/file", "");
	if (client_look(&place->client, ROOT, "folder", &first) < 0 ||
	    client_look(&place->client, ROOT, "second", &second) < 0)
		return 1;
	if (!is_kept(place, ROOT, "file", WATCH_LONG_SECONDS) ||
	    !is_kept(place, first, "file", WATCH_LONG_SECONDS) ||
	    !is_kept(place, second, "file", WATCH_SHORT_SECONDS))
		return 2;
	if (client_look(&place->client, second, "nothing", &first) != -ENOENT)
		return 3;
	complaint = tell_complaint(place->share);
	return complaint && strstr(complaint, "max_user_marks") && !tell_complaint(place->share) ? 0 : 4;
}

static void test_own_limit(void **state)
{
	struct place *place = watched(state);
	uint64_t first, second;

	place->share->watch->max_folders = 2;
	first = look(&place->client, ROOT, "folder");
	assert_int_equal(mkdirat(place->dir, "second", 0755), 0);
	second = look(&place->client, ROOT, "second");
	write_at(place->dir, "folder/file", "");
	write_at(place->dir, "second/file", "");
	assert_true(is_kept(place, first, "file", WATCH_LONG_SECONDS));
	assert_true(is_kept(place, second, "file", WATCH_SHORT_SECONDS));
	assert_non_null(tell_complaint(place->share));
	assert_null(tell_complaint(place->share));
}

static int status_of(struct place *place, int (*run)(struct place *place))
{
	pid_t pid = fork();
	int status = 1;

	if (pid == 0)
		_exit(run(place));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

static void test_limit(void **state)
{
	int status = status_of(*state, run_limited);

	if (status == 77) {
		print_message("skipped: no user name space with a limit of its own\n");
		skip();
	}
	assert_int_equal(status, 0);
}

/* What an ordinary user is told carries nobody's number but its own. */
static int run_as_nobody(struct place *place)
{
	uint64_t node, own, handle;
	char line[32];

	if (geteuid() == 0 &&
	    (fchown(place->dir, NOBODY, NOBODY) < 0 || fchownat(place->dir, "file", NOBODY, NOBODY, 0) < 0 ||
	     setgroups(0, NULL) < 0 || setresgid(NOBODY, NOBODY, NOBODY) < 0 ||
	     setresuid(NOBODY, NOBODY, NOBODY) < 0))
		return 1;
	begin_again(place);
	if (watch(place) < 0)
		return 77;
	if (client_look(&place->client, ROOT, "file", &node) < 0 ||
	    client_create(&place->client, ROOT, "own", O_RDWR, 0644, &own, &handle) < 0 ||
	    client_write(&place->client, own, handle, 0, slice_text("bytes")) < 0)
		return 2;
	elsewhere(place, write_file);
	snprintf(line, sizeof(line), "content %d\n", (int)node);
	if (!hear(place, line, LIMIT_MS))
		return 3;
	return strstr(buf_text(&told), "own") ? 4 : 0;
}

static void test_ordinary_user(void **state)
{
	int status = status_of(*state, run_as_nobody);

	if (status == 77) {
		print_message("skipped: this host lets only root watch\n");
		skip();
	}
	assert_int_equal(status, 0);
}

static void test_file_system_that_tells_nothing(void **state)
{
	struct client client = {.talk = talk};
	struct share *share;
	uint64_t node;
	int group = watch_open();

	(void)state;
	if (group < 0)
		skip();
	assert_int_equal(share_new(open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC), true, &share), 0);
	assert_int_equal(share_watch(share, group), -EOPNOTSUPP);
	client.server = share;
	assert_int_equal(client_init(&client), 0);
	assert_int_equal(client_look(&client, ROOT, "status", &node), 0);
	assert_int_equal(last_entry(&client).entry_valid, WATCH_SHORT_SECONDS);
	assert_int_equal(client_look(&client, ROOT, "nothing", &node), -ENOENT);
	assert_int_equal(tell_fd(share), -1);
	assert_int_equal(tell_wait_ms(share), -1);
	share_free(share);
	buf_done(&client.answer);
}

/* Where no event can come, the attributes tell that the content is another. */
static void test_unwatched_file(void **state)
{
	struct place *place = watched(state);
	uint64_t folder = look(&place->client, ROOT, "folder"), file;

	hear_all(place);
	write_at(place->dir, "folder/file", "");
	inodes_find(place->share->inodes, folder)->watched = (struct watched){.is_refused = true};
	file = look(&place->client, folder, "file");
	assert_int_equal(attr_seconds(&place->client, file), WATCH_SHORT_SECONDS);
	hear_all(place);
	expect_not_told("content %d\n", file);
	elsewhere(place, write_in_folder);
	assert_int_equal(attr_seconds(&place->client, file), WATCH_SHORT_SECONDS);
	expect_told(place, "content %d\n", file);
}

static void move_place(struct place *place)
{
	char path[80];

	snprintf(path, sizeof(path), "%s-moved", place->path);
	if (rename(place->path, path) < 0 || rename(path, place->path) < 0)
		_exit(1);
}

static const char *hear_complaint(struct place *place)
{
	int64_t end = clock_ms() + LIMIT_MS;
	const char *complaint;

	while (!(complaint = tell_complaint(place->share)) && clock_ms() < end)
		(void)hear(place, "never told", 1);
	return complaint ? complaint : "";
}

static void test_moved_root(void **state)
{
	struct place *place = watched(state);

	elsewhere(place, move_place);
	assert_non_null(strstr(hear_complaint(place), "moved"));
}

static void test_removed_single_file(void **state)
{
	struct place *place = watched(state);
	struct place single = *place;

	assert_int_equal(share_new(openat(place->dir, "file", O_PATH | O_CLOEXEC), false, &single.share), 0);
	assert_int_equal(watch(&single), 0);
	elsewhere(place, write_file);
	expect_told(&single, "content 1\n", 0);
	elsewhere(place, remove_file);
	assert_non_null(strstr(hear_complaint(&single), "removed"));
	share_free(single.share);
}

/* ---- touches ---- */

static void test_touch_is_not_done(void **state)
{
	struct place *place = *state;
	struct fuse_setattr_in in = {.valid = FATTR_MTIME,
				     .mtime = (uint64_t)SHARE_TOUCH_SECONDS,
				     .mtimensec = SHARE_TOUCH_NANOSECONDS};
	uint64_t node = look(&place->client, ROOT, "file");
	struct fuse_attr_out attr;
	struct stat before, after;

	assert_int_equal(fstatat(place->dir, "file", &before, 0), 0);
	assert_int_equal(client_ask(&place->client, FUSE_SETATTR, node, STRUCT(in), NONE, NONE), 0);
	memcpy(&attr, place->client.body.ptr, sizeof(attr));
	assert_int_equal(attr.attr.mtime, before.st_mtim.tv_sec);
	assert_int_equal(attr.attr.mtimensec, before.st_mtim.tv_nsec);
	assert_int_equal(fstatat(place->dir, "file", &after, 0), 0);
	assert_memory_equal(&before.st_ctim, &after.st_ctim, sizeof(before.st_ctim));
	in.mtimensec++;
	assert_int_equal(client_ask(&place->client, FUSE_SETATTR, node, STRUCT(in), NONE, NONE),
			 place->share->is_read_only ? -EROFS : 0);
}

/* ---- the next life ---- */

static void move_on(struct place *place, void (*meanwhile)(struct place *place))
{
	auto_buf struct buf state = {0};
	int root = open(place->path, O_PATH | O_DIRECTORY | O_CLOEXEC);

	assert_int_equal(share_save(place->share, &state), 0);
	share_free(place->share);
	elsewhere(place, meanwhile);
	assert_int_equal(share_new(root, false, &place->share), 0);
	assert_int_equal(watch(place), 0);
	assert_int_equal(share_load(place->share, buf_slice(&state)), 0);
	share_continue(place->share);
	place->client.server = place->share;
	buf_clear(&told);
}

static void change_meanwhile(struct place *place)
{
	write_file(place);
	write_in_folder(place);
	if (unlinkat(place->dir, "gone", 0) < 0)
		_exit(1);
}

static void test_next_life(void **state)
{
	struct place *place = watched(state);
	struct client *client = &place->client;
	uint64_t file = look(client, ROOT, "file"), folder = look(client, ROOT, "folder"), still, gone, none;

	write_at(place->dir, "still", "");
	write_at(place->dir, "gone", "");
	still = look(client, ROOT, "still");
	gone = look(client, ROOT, "gone");
	assert_int_equal(client_look(client, folder, "file", &none), 0);
	assert_int_equal(none, 0);
	move_on(place, change_meanwhile);
	expect_told(place, "drop\n", 0);
	expect_told(place, "content %d\n", file);
	expect_told(place, "content %d\n", folder);
	expect_told(place, "content %d\n", gone);
	expect_told(place, "entry 1 'gone'\n", 0);
	hear_all(place);
	expect_not_told("content %d\n", still);
	/* It is watched again. */
	assert_int_equal(attr_seconds(client, still), WATCH_LONG_SECONDS);
	buf_clear(&told);
	elsewhere(place, write_in_folder);
	expect_told(place, "touch %d 'file'\n", folder);
}

static void nothing(struct place *place)
{
	(void)place;
}

/* A change that was not told before the end is told after it, even if the guest has seen the new attributes.
 */
static void test_change_right_before_the_end(void **state)
{
	struct place *place = watched(state);
	uint64_t file = look(&place->client, ROOT, "file");

	elsewhere(place, write_file);
	assert_int_equal(attr_seconds(&place->client, file), WATCH_LONG_SECONDS);
	move_on(place, nothing);
	expect_told(place, "content %d\n", file);
}

int main(void)
{
#define watched_test(test) cmocka_unit_test_setup_teardown(test, set_up_watched, tear_down_watched)
	const struct CMUnitTest tests[] = {
		watched_test(test_times),
		watched_test(test_soon),
		watched_test(test_own_changes),
		watched_test(test_names),
		watched_test(test_file_that_becomes_a_copy),
		watched_test(test_removed),
		watched_test(test_replaced),
		watched_test(test_found_before_it_is_told),
		watched_test(test_moved_folder),
		watched_test(test_forgotten_folder),
		watched_test(test_other_name),
		watched_test(test_overflow),
		watched_test(test_own_limit),
		cmocka_unit_test_setup_teardown(test_limit, set_up, tear_down_watched),
		cmocka_unit_test_setup_teardown(test_ordinary_user, set_up, tear_down_watched),
		cmocka_unit_test(test_file_system_that_tells_nothing),
		watched_test(test_unwatched_file),
		watched_test(test_moved_root),
		watched_test(test_removed_single_file),
		watched_test(test_touch_is_not_done),
		cmocka_unit_test_setup_teardown(test_touch_is_not_done, set_up_read_only, tear_down),
		watched_test(test_next_life),
		watched_test(test_change_right_before_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
