/* How the server finds and opens what the guest asks for by number: few descriptors, no handles, threads. */
#include "share/ops.h"
#include "share/pool.h"

#include "unit.h"

#include "../lib/share-place.h"

#include <dirent.h>
#include <errno.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

enum { N_FOLDERS = 40, N_FILES = 60, FEW = 16, NOBODY = 65534, BIG_BYTES = 1 << 20 };

static size_t count_fds(void)
{
	auto_dir DIR *dir = opendir("/proc/self/fd");
	size_t count = 0;

	while (readdir(dir))
		count++;
	return count;
}

/* Whatever is held by a descriptor is used less recently than so many others. */
static void give_up_all(struct place *place)
{
	uint64_t folder, below;
	char name[16];

	for (int i = 0; i < 2 * FEW; i++) {
		snprintf(name, sizeof(name), "other-%d", i);
		(void)mkdirat(place->dir, name, 0755);
		folder = look(&place->client, ROOT, name);
		assert_int_equal(client_look(&place->client, folder, "nothing", &below), -ENOENT);
	}
}

static int set_up_few(void **state)
{
	int r = set_up(state);
	struct place *place = *state;

	place->share->reach.max = FEW;
	place->share->reach.held_max = 0;
	place->share->opened.max = 8;
	return r;
}

/* ---- descriptors ---- */

static void test_many_files(void **state)
{
	static uint64_t nodes[N_FOLDERS][N_FILES];
	struct place *place = *state;
	struct client *client = &place->client;
	size_t before = count_fds();
	uint64_t folder = ROOT, handle;
	char name[32];

	for (int i = 0; i < N_FOLDERS; i++) {
		snprintf(name, sizeof(name), "folder-%d", i);
		assert_int_equal(client_mkdir(client, folder, name, &folder), 0);
		for (int k = 0; k < N_FILES; k++) {
			snprintf(name, sizeof(name), "%d-%d", i, k);
			assert_int_equal(
				client_create(client, folder, name, O_RDWR, 0644, &nodes[i][k], &handle), 0);
			assert_int_equal(client_write(client, nodes[i][k], 0, 0, slice_text(name)), 0);
		}
		assert_true(count_fds() <= before + FEW + 8 + LISTINGS_MAX);
	}
	for (int k = N_FILES - 1; k >= 0; k--) {
		for (int i = 0; i < N_FOLDERS; i++) {
			snprintf(name, sizeof(name), "%d-%d", i, k);
			assert_int_equal(client_read(client, nodes[i][k], 0, 0, 100), 0);
			assert_true(slice_is(client->body, name));
		}
	}
	assert_true(count_fds() <= before + FEW + 8 + LISTINGS_MAX);
}

static void test_few_descriptors_granted(void **state)
{
	struct rlimit few = {.rlim_cur = 150, .rlim_max = 150};
	struct place *place = *state;
	struct share *share;
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		setrlimit(RLIMIT_NOFILE, &few);
		if (share_new(open(place->path, O_PATH | O_CLOEXEC), false, &share) < 0)
			_exit(1);
		_exit(share->reach.max + share->opened.max + share->n_listings < 150 ? 0 : 2);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* Its number means that file and no other, although nothing but its name leads to it. */
static void test_given_up_and_replaced(void **state)
{
	struct place *place = *state;
	struct client *client = &place->client;
	uint64_t folder = look(client, ROOT, "folder"), node, handle;

	assert_int_equal(client_create(client, folder, "file", O_RDWR, 0644, &node, &handle), 0);
	assert_int_equal(client_read(client, node, 0, 0, 10), 0);
	give_up_all(place);
	opened_close(place->share, share_known(place->share, node));
	assert_int_equal(share_known(place->share, node)->fd, -1);
	assert_int_equal(unlinkat(place->dir, "folder/file", 0), 0);
	assert_int_equal(client_read(client, node, 0, 0, 10), -ESTALE);
	assert_int_equal(symlinkat("/etc/passwd", place->dir, "folder/file"), 0);
	assert_int_equal(client_read(client, node, 0, 0, 10), -ESTALE);
	assert_int_equal(unlinkat(place->dir, "folder/file", 0), 0);
	assert_int_equal(file_write_atomic(place->dir, "again", 0600, slice_text("again"), NULL), 0);
	assert_int_equal(renameat(place->dir, "again", place->dir, "folder/file"), 0);
	assert_int_equal(client_read(client, node, 0, 0, 10), -ESTALE);
	assert_int_equal(client_ask(client, FUSE_GETATTR, node, NONE, NONE, NONE), -ESTALE);
}

static void test_parent_is_swapped_with_a_link(void **state)
{
	struct place *place = *state;
	struct client *client = &place->client;
	uint64_t folder = look(client, ROOT, "folder"), inner, node, other;

	assert_int_equal(client_mkdir(client, folder, "inner", &inner), 0);
	assert_int_equal(client_create(client, inner, "hostname", O_RDWR, 0644, &node, &other), 0);
	give_up_all(place);
	opened_close(place->share, share_known(place->share, node));
	assert_int_equal(renameat(place->dir, "folder", place->dir, "elsewhere"), 0);
	assert_int_equal(symlinkat("elsewhere", place->dir, "folder"), 0);
	assert_int_equal(client_read(client, node, 0, 0, 10), -ESTALE);
	assert_int_equal(client_look(client, inner, "hostname", &other), -ESTALE);
	assert_int_equal(client_mkdir(client, inner, "new", &other), -ESTALE);
	/* When the guest has seen where it is now, its numbers mean it again. */
	assert_int_equal(look(client, ROOT, "elsewhere"), folder);
	assert_int_equal(client_read(client, node, 0, 0, 10), 0);
}

/* Moved on the host while there is a descriptor: its new place is asked for before that is given up. */
static void test_moved_before_given_up(void **state)
{
	struct place *place = *state;
	struct client *client = &place->client;
	uint64_t folder = look(client, ROOT, "folder"), node, handle;

	assert_int_equal(client_create(client, folder, "file", O_RDWR, 0644, &node, &handle), 0);
	assert_int_equal(client_read(client, node, 0, 0, 10), 0);
	assert_int_equal(mkdirat(place->dir, "deep", 0755), 0);
	assert_int_equal(renameat(place->dir, "folder", place->dir, "deep/moved"), 0);
	give_up_all(place);
	opened_close(place->share, share_known(place->share, node));
	assert_int_equal(share_known(place->share, folder)->fd, -1);
	assert_int_equal(client_write(client, node, 0, 0, slice_text("found")), 0);
	expect_content(place, "deep/moved/file", "found");
}

/* What has lost its name can be reached by its descriptor alone: others are given up first. */
static void test_removed_is_kept(void **state)
{
	struct place *place = *state;
	struct client *client = &place->client;
	uint64_t node, handle;

	assert_int_equal(client_create(client, ROOT, "temporary", O_RDWR, 0644, &node, &handle), 0);
	assert_int_equal(client_write(client, node, 0, 0, slice_text("kept")), 0);
	assert_int_equal(client_ask(client, FUSE_UNLINK, ROOT, client_name("temporary"), NONE, NONE), 0);
	give_up_all(place);
	opened_close(place->share, share_known(place->share, node));
	assert_int_equal(client_read(client, node, 0, 0, 10), 0);
	assert_true(slice_is(client->body, "kept"));
}

/* The guest's kernel opens without asking: what the host replaces before it is read is still what was opened.
 */
static void test_made_and_replaced(void **state)
{
	struct place *place = *state;
	struct client *client = &place->client;
	uint64_t node, handle;

	assert_int_equal(client_create(client, ROOT, "mine", O_RDWR, 0644, &node, &handle), 0);
	assert_int_equal(client_write(client, node, 0, 0, slice_text("mine")), 0);
	opened_close(place->share, share_known(place->share, node));
	close(openat(place->dir, "theirs", O_WRONLY | O_CREAT, 0644));
	assert_int_equal(renameat(place->dir, "theirs", place->dir, "mine"), 0);
	assert_int_equal(client_read(client, node, 0, 0, 10), 0);
	assert_true(slice_is(client->body, "mine"));
}

/* A guest that forgets a folder before what lies in it has what it deserves, and no more. */
static void test_forgotten_parent(void **state)
{
	struct place *place = *state;
	struct client *client = &place->client;
	struct fuse_forget_in forget = {.nlookup = 1};
	uint64_t folder = look(client, ROOT, "folder"), node, handle;
	size_t n_known = inodes_count(place->share->inodes);

	assert_int_equal(client_create(client, folder, "file", O_RDWR, 0644, &node, &handle), 0);
	(void)client_ask(client, FUSE_FORGET, folder, STRUCT(forget), NONE, NONE);
	assert_int_equal(client_look(client, folder, "file", &handle), -ESTALE);
	assert_int_equal(client_read(client, node, 0, 0, 10), 0);
	assert_int_equal(inodes_count(place->share->inodes), n_known + 1);
	(void)client_ask(client, FUSE_FORGET, node, STRUCT(forget), NONE, NONE);
	(void)client_ask(client, FUSE_FORGET, node, STRUCT(forget), NONE, NONE);
	assert_int_equal(inodes_count(place->share->inodes), n_known - 1);
	assert_int_equal(client_read(client, node, 0, 0, 10), -ESTALE);
}

/* Folders that were moved into each other on the host do not lead around in circles. */
static void test_circle(void **state)
{
	struct place *place = *state;
	struct client *client = &place->client;
	struct fuse_forget_in forget = {.nlookup = 1000};
	uint64_t one, two, inner, again;

	assert_int_equal(client_mkdir(client, ROOT, "one", &one), 0);
	assert_int_equal(client_mkdir(client, one, "two", &two), 0);
	assert_int_equal(client_look(client, two, "nothing", &again), -ENOENT);
	assert_int_equal(renameat(place->dir, "one/two", place->dir, "two"), 0);
	assert_int_equal(renameat(place->dir, "one", place->dir, "two/one"), 0);
	assert_int_equal(client_look(client, two, "one", &again), 0);
	assert_int_equal(again, one);
	give_up_all(place);
	assert_int_equal(client_mkdir(client, one, "inner", &inner), 0);
	assert_int_equal(look(client, ROOT, "two"), two);
	(void)client_ask(client, FUSE_FORGET, inner, STRUCT(forget), NONE, NONE);
	(void)client_ask(client, FUSE_FORGET, two, STRUCT(forget), NONE, NONE);
	(void)client_ask(client, FUSE_FORGET, one, STRUCT(forget), NONE, NONE);
	assert_null(inodes_find(place->share->inodes, two));
}

/* ---- opening ---- */

/* Ends with 0 if all is well, as an ordinary user, whom the host's kernel does refuse. */
static int as_nobody(struct place *place, int (*check)(struct place *place))
{
	struct share *share;
	int status;
	pid_t pid;

	assert_int_equal(chmod(place->path, 0777), 0);
	pid = fork();
	if (pid == 0) {
		if (geteuid() == 0 && (setgroups(0, NULL) < 0 || setgid(NOBODY) < 0 || setuid(NOBODY) < 0))
			_exit(100);
		if (share_new(open(place->path, O_PATH | O_CLOEXEC), false, &share) < 0)
			_exit(101);
		place->client.server = share;
		if (client_init(&place->client) < 0)
			_exit(102);
		_exit(check(place));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int check_made_read_only(struct place *place)
{
	struct client *client = &place->client;
	struct fuse_release_in release = {.fh = 0};
	uint64_t node, handle;
	struct stat info;

	if (client_create(client, ROOT, "object", O_WRONLY | O_EXCL, 0444, &node, &handle) < 0)
		return 1;
	if (client_write(client, node, 0, 0, slice_text("one")) < 0)
		return 2;
	/* As long as its maker has it open, nothing has to be changed for that. */
	if (!share_known(client->server, node)->writing)
		return 3;
	(void)client_ask(client, FUSE_RELEASE, node, STRUCT(release), NONE, NONE);
	if (share_known(client->server, node)->writing)
		return 4;
	if (client_write(client, node, 0, 3, slice_text(" two")) < 0)
		return 5;
	if (fstatat(place->dir, "object", &info, 0) < 0 || (info.st_mode & 07777) != 0444)
		return 6;
	if (client_read(client, node, 0, 0, 100) < 0 || !slice_is(client->body, "one two"))
		return 7;
	return 0;
}

static int check_no_rights_at_all(struct place *place)
{
	struct client *client = &place->client;
	uint64_t node, handle;
	struct stat info;

	if (client_create(client, ROOT, "secret", O_WRONLY | O_EXCL, 0, &node, &handle) < 0 ||
	    client_write(client, node, 0, 0, slice_text("text")) < 0)
		return 1;
	opened_close(client->server, share_known(client->server, node));
	if (client_read(client, node, 0, 0, 100) < 0 || !slice_is(client->body, "text"))
		return 2;
	if (fstatat(place->dir, "secret", &info, 0) < 0 || (info.st_mode & 07777) != 0)
		return 3;
	return 0;
}

/* It is remembered beside the file, whose mode says that nobody may change that. */
static int check_owner_of_read_only(struct place *place)
{
	struct client *client = &place->client;
	struct fuse_getattr_in in = {.getattr_flags = 0};
	struct fuse_attr_out out = {.attr_valid = 0};
	uint64_t node, handle;
	struct stat info;

	client->uid = client->gid = 999;
	if (client_create(client, ROOT, "theirs", O_WRONLY | O_EXCL, 0400, &node, &handle) < 0)
		return 1;
	if (client_ask(client, FUSE_GETATTR, node, STRUCT(in), NONE, NONE) < 0 ||
	    client->body.len < sizeof(out))
		return 2;
	memcpy(&out, client->body.ptr, sizeof(out));
	if (out.attr.uid != 999 || out.attr.gid != 999)
		return 3;
	return fstatat(place->dir, "theirs", &info, 0) == 0 && (info.st_mode & 07777) == 0400 ? 0 : 4;
}

/* Somebody else's file is opened as its mode says, or not at all. */
static int check_of_others(struct place *place)
{
	struct client *client = &place->client;
	uint64_t node;
	struct stat info;

	if (client_look(client, ROOT, "file", &node) < 0 || client_read(client, node, 0, 0, 100) < 0)
		return 1;
	if (client_write(client, node, 0, 0, slice_text("x")) != -EACCES)
		return 2;
	return fstatat(place->dir, "file", &info, 0) == 0 && (info.st_mode & 07777) == 0644 ? 0 : 3;
}

/* What the guest did not know of, its kernel has not judged. */
static int check_found_at_create(struct place *place)
{
	uint64_t node, handle;
	int fd = openat(place->dir, "own", O_CREAT | O_WRONLY, 0444);

	if (fd < 0)
		return 1;
	close(fd);
	return client_create(&place->client, ROOT, "own", O_RDWR, 0644, &node, &handle) == -EACCES ? 0 : 2;
}

static void test_modes(void **state)
{
	assert_int_equal(as_nobody(*state, check_made_read_only), 0);
	assert_int_equal(as_nobody(*state, check_no_rights_at_all), 0);
	assert_int_equal(as_nobody(*state, check_owner_of_read_only), 0);
	assert_int_equal(as_nobody(*state, check_found_at_create), 0);
	if (geteuid() == 0)
		assert_int_equal(as_nobody(*state, check_of_others), 0);
}

/* Who appends inside and who appends on the host do not overwrite each other. */
static void test_append(void **state)
{
	struct place *place = *state;
	struct fuse_write_in in = {.offset = 7, .size = 4, .flags = O_WRONLY | O_APPEND};
	uint64_t node = look(&place->client, ROOT, "file");
	autofd int fd = openat(place->dir, "file", O_WRONLY | O_APPEND | O_CLOEXEC);

	assert_int_equal(write(fd, "-host", 5), 5);
	assert_int_equal(client_ask(&place->client, FUSE_WRITE, node, STRUCT(in), slice_text("-one"), NONE),
			 0);
	assert_int_equal(write(fd, "-host", 5), 5);
	in.offset = 11;
	assert_int_equal(client_ask(&place->client, FUSE_WRITE, node, STRUCT(in), slice_text("-two"), NONE),
			 0);
	expect_content(place, "file", "content-host-one-host-two");
	/* What a mapping has changed goes where it is mapped from. */
	in.write_flags = FUSE_WRITE_CACHE;
	in.offset = 0;
	assert_int_equal(client_ask(&place->client, FUSE_WRITE, node, STRUCT(in), slice_text("CONT"), NONE),
			 0);
	expect_content(place, "file", "CONTent-host-one-host-two");
}

/* No descriptor for writing stays: the host could not start the program that was written. */
static void test_rest(void **state)
{
	struct place *place = *state;
	struct client *client = &place->client;
	uint64_t node = look(client, ROOT, "file");
	int wait_ms;

	assert_int_equal(share_rest(place->share), -1);
	assert_int_equal(client_write(client, node, 0, 0, slice_text("C")), 0);
	assert_int_equal(client_read(client, node, 0, 0, 10), 0);
	assert_non_null(share_known(place->share, node)->writing);
	wait_ms = share_rest(place->share);
	assert_true(wait_ms > 0 && wait_ms <= OPENED_WRITING_MS);
	while ((wait_ms = share_rest(place->share)) >= 0)
		(void)poll(NULL, 0, wait_ms);
	assert_null(share_known(place->share, node)->writing);
	assert_non_null(share_known(place->share, node)->reading);
}

/* A guest whose kernel can open without asking is told to; one that does not know how gets no handle. */
static void test_openless(void **state)
{
	struct place *place = *state;
	struct client *client = &place->client;
	struct fuse_init_in in = {.major = FUSE_KERNEL_VERSION,
				  .minor = FUSE_KERNEL_MINOR_VERSION,
				  .flags = FUSE_NO_OPEN_SUPPORT | FUSE_NO_OPENDIR_SUPPORT |
					   FUSE_ATOMIC_O_TRUNC | FUSE_WRITEBACK_CACHE | FUSE_POSIX_LOCKS};
	uint64_t node = look(client, ROOT, "file"), handle;
	struct fuse_init_out out;

	assert_int_equal(client_open(client, FUSE_OPEN, node, O_RDWR, &handle), 0);
	assert_int_equal(handle, 0);
	assert_int_equal(client_open(client, FUSE_OPENDIR, ROOT, O_RDONLY, &handle), 0);
	assert_int_equal(handle, 0);
	assert_int_equal(client_ask(client, FUSE_INIT, 0, STRUCT(in), NONE, NONE), 0);
	memcpy(&out, client->body.ptr, sizeof(out));
	assert_int_equal(out.flags, FUSE_NO_OPEN_SUPPORT | FUSE_NO_OPENDIR_SUPPORT);
	assert_int_equal(client_open(client, FUSE_OPEN, node, O_RDWR, &handle), -ENOSYS);
	assert_int_equal(client_open(client, FUSE_OPENDIR, ROOT, O_RDONLY, &handle), -ENOSYS);
	assert_int_equal(client_open(client, FUSE_OPEN, ROOT, O_RDONLY, &handle), -EISDIR);
}

/* ---- listing ---- */

/* As rm -r does: what was listed is removed before the next is. */
static void test_removed_while_listed(void **state)
{
	enum { N_ENTRIES = 3000 };
	struct place *place = *state;
	struct client *client = &place->client;
	uint64_t folder = look(client, ROOT, "folder");
	struct fuse_read_in in = {.size = 4096};
	autofd int dir = file_open_dir(place->dir, "folder");
	unsigned n_removed = 0;
	char name[32];

	for (int i = 0; i < N_ENTRIES; i++) {
		snprintf(name, sizeof(name), "entry-%d", i);
		assert_int_equal(mknodat(dir, name, S_IFREG | 0600, 0), 0);
	}
	for (;;) {
		auto_buf struct buf entries = {0};

		assert_int_equal(client_ask(client, FUSE_READDIR, folder, STRUCT(in), NONE, NONE), 0);
		if (client->body.len == 0)
			break;
		assert_int_equal(buf_append(&entries, client->body), 0);
		for (struct slice left = buf_slice(&entries); left.len > 0;) {
			struct fuse_dirent entry;

			memcpy(&entry, left.ptr, FUSE_NAME_OFFSET);
			snprintf(name, sizeof(name), "%.*s", (int)entry.namelen, left.ptr + FUSE_NAME_OFFSET);
			if (name[0] != '.' &&
			    client_ask(client, FUSE_UNLINK, folder, client_name(name), NONE, NONE) == 0)
				n_removed++;
			in.offset = entry.off;
			left = slice_skip(left, FUSE_DIRENT_SIZE(&entry));
		}
	}
	assert_int_equal(n_removed, N_ENTRIES);
	assert_int_equal(client_ask(client, FUSE_RMDIR, ROOT, client_name("folder"), NONE, NONE), 0);
}

/* ---- threads ---- */

static void talk_to_threads(struct client *client, struct slice message, bool has_answer, struct buf *answer)
{
	int r = share_handle(client->server, message, answer);

	if (r == SHARE_LATER)
		r = share_collect(client->server, /* waits= */ true, answer) == 1 ? 0 : -EIO;
	assert_int_equal(r, 0);
	assert_true(has_answer == (answer->len > 0));
}

static void test_threads(void **state)
{
	struct place *place = *state;
	struct client *client = &place->client;
	autofree char *bytes = malloc(BIG_BYTES);
	struct fuse_fsync_in sync_in = {.fh = 0};
	struct fuse_fallocate_in room = {.length = 2 * BIG_BYTES};
	struct fuse_copy_file_range_in copy = {.len = BIG_BYTES, .off_out = BIG_BYTES};
	uint64_t node, handle;

	for (int i = 0; i < BIG_BYTES; i++)
		bytes[i] = (char)(i * 31);
	assert_int_equal(share_start_threads(place->share, 3), 0);
	client->talk = talk_to_threads;
	assert_int_equal(client_create(client, ROOT, "big", O_RDWR, 0644, &node, &handle), 0);
	copy.nodeid_out = node;
	assert_int_equal(client_write(client, node, 0, 0, slice_of(bytes, BIG_BYTES)), 0);
	assert_int_equal(client_ask(client, FUSE_FSYNC, node, STRUCT(sync_in), NONE, NONE), 0);
	assert_int_equal(client_ask(client, FUSE_FSYNCDIR, ROOT, STRUCT(sync_in), NONE, NONE), 0);
	assert_int_equal(client_ask(client, FUSE_FALLOCATE, node, STRUCT(room), NONE, NONE), 0);
	assert_int_equal(client_ask(client, FUSE_COPY_FILE_RANGE, node, STRUCT(copy), NONE, NONE), 0);
	{
		autofd int fd = openat(place->dir, "big", O_RDONLY | O_CLOEXEC);

		assert_int_equal(fsync(fd), 0);
		assert_int_equal(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
	}
	for (uint64_t at = 0; at < 2 * BIG_BYTES; at += BIG_BYTES) {
		assert_int_equal(client_read(client, node, 0, at, BIG_BYTES), 0);
		assert_int_equal(client->body.len, BIG_BYTES);
		assert_memory_equal(client->body.ptr, bytes, BIG_BYTES);
	}
	assert_int_equal(pool_count(place->share->pool), 0);
}

/* Forgotten, removed and given up while threads are at it: each answer comes, and comes once. */
static void test_forgotten_while_at_work(void **state)
{
	struct place *place = *state;
	struct client *client = &place->client;
	struct fuse_forget_in forget = {.nlookup = 1000};
	struct fuse_in_header head = {.opcode = FUSE_FSYNC,
				      .len = sizeof(head) + sizeof(struct fuse_fsync_in)};
	unsigned n_asked = 0, n_answered = 0;

	assert_int_equal(share_start_threads(place->share, 2), 0);
	for (int i = 0; i < 200; i++) {
		auto_buf struct buf message = {0}, answer = {0};
		char name[16];
		uint64_t node, handle;

		snprintf(name, sizeof(name), "file-%d", i);
		assert_int_equal(client_create(client, ROOT, name, O_RDWR, 0644, &node, &handle), 0);
		head.nodeid = node;
		head.unique = 1000 + (uint64_t)i;
		(void)buf_append(&message, STRUCT(head));
		(void)buf_append(&message, STRUCT((struct fuse_fsync_in){0}));
		while (share_is_busy(place->share))
			n_answered += share_collect(place->share, /* waits= */ true, &answer) == 1;
		assert_int_equal(share_handle(place->share, buf_slice(&message), &answer), SHARE_LATER);
		n_asked++;
		(void)client_ask(client, FUSE_FORGET, node, STRUCT(forget), NONE, NONE);
		assert_null(share_known(place->share, node));
	}
	while (pool_count(place->share->pool) > 0) {
		auto_buf struct buf answer = {0};

		assert_int_equal(share_collect(place->share, /* waits= */ true, &answer), 1);
		n_answered++;
	}
	assert_int_equal(n_answered, n_asked);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_many_files, set_up_few, tear_down),
		cmocka_unit_test_setup_teardown(test_few_descriptors_granted, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_given_up_and_replaced, set_up_few, tear_down),
		cmocka_unit_test_setup_teardown(test_parent_is_swapped_with_a_link, set_up_few, tear_down),
		cmocka_unit_test_setup_teardown(test_moved_before_given_up, set_up_few, tear_down),
		cmocka_unit_test_setup_teardown(test_removed_is_kept, set_up_few, tear_down),
		cmocka_unit_test_setup_teardown(test_made_and_replaced, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_forgotten_parent, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_circle, set_up_few, tear_down),
		cmocka_unit_test_setup_teardown(test_modes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_append, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_rest, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_openless, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_removed_while_listed, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_threads, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_forgotten_while_at_work, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
