/* The server as a function: what a folder does for those who ask rightly, and for those who do not. */
#include "share/ops.h"

#include "share/state.h"

#include "unit.h"

#include "../lib/share-place.h"

#include <errno.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>

/* ---- what works ---- */

static void test_read_and_write(void **state)
{
	struct place *place = *state;
	struct client *client = &place->client;
	uint64_t node = look(client, ROOT, "file"), handle, made, made_handle;
	struct fuse_attr attr;

	assert_int_equal(client_look(client, ROOT, "file", &made), 0);
	assert_int_equal(made, node); /* one file, one number */
	(void)client_entry(client, &attr);
	assert_int_equal(attr.size, 7);
	assert_int_equal(attr.uid, SHARE_GUEST_UID);
	assert_int_equal(client_open(client, FUSE_OPEN, node, O_RDWR, &handle), 0);
	assert_int_equal(client_read(client, node, handle, 3, 100), 0);
	assert_true(slice_is(client->body, "tent"));
	assert_int_equal(client_write(client, node, handle, 7, slice_text(" and more")), 0);
	expect_content(place, "file", "content and more");
	assert_int_equal(client_create(client, ROOT, "made", O_RDWR | O_EXCL, 04755, &made, &made_handle), 0);
	assert_int_equal(client_write(client, made, made_handle, 0, slice_text("new")), 0);
	expect_content(place, "made", "new");
	assert_int_equal(client_create(client, ROOT, "made", O_RDWR | O_EXCL, 0755, &made, &made_handle),
			 -EEXIST);
	assert_int_equal(client_create(client, ROOT, "made", O_RDWR, 0755, &made, &made_handle), 0);
}

/* A file without a name gets one when it is whole. */
static void test_unnamed_file(void **state)
{
	struct place *place = *state;
	struct client *client = &place->client;
	struct fuse_create_in in = {.flags = O_RDWR, .mode = S_IFREG | 0644};
	struct fuse_open_out open_out;
	struct fuse_link_in link;

	assert_int_equal(client_ask(client, FUSE_TMPFILE, ROOT, STRUCT(in), client_name("ignored"), NONE), 0);
	link.oldnodeid = client_entry(client, NULL);
	memcpy(&open_out, client->body.ptr + sizeof(struct fuse_entry_out), sizeof(open_out));
	assert_int_equal(client_write(client, link.oldnodeid, open_out.fh, 0, slice_text("whole")), 0);
	assert_int_equal(client_ask(client, FUSE_LINK, ROOT, STRUCT(link), client_name("named"), NONE), 0);
	expect_content(place, "named", "whole");
	in.flags = O_RDONLY;
	assert_int_equal(client_ask(client, FUSE_TMPFILE, ROOT, STRUCT(in), NONE, NONE), -EINVAL);
}

static void test_no_setuid(void **state)
{
	struct place *place = *state;
	struct fuse_setattr_in in = {.valid = FATTR_MODE, .mode = 06777};
	uint64_t node, handle;
	struct stat info;

	assert_int_equal(client_create(&place->client, ROOT, "made", O_RDWR, 06755, &node, &handle), 0);
	assert_int_equal(fstatat(place->dir, "made", &info, 0), 0);
	assert_int_equal(info.st_mode & 07777, 0755);
	assert_int_equal(client_ask(&place->client, FUSE_SETATTR, node, STRUCT(in), NONE, NONE), 0);
	assert_int_equal(fstatat(place->dir, "made", &info, 0), 0);
	assert_int_equal(info.st_mode & 07777, 0777);
}

static void test_attributes(void **state)
{
	struct place *place = *state;
	struct client *client = &place->client;
	uint64_t node = look(client, ROOT, "file");
	struct fuse_setattr_in size = {.valid = FATTR_SIZE, .size = 3};
	struct fuse_setattr_in times = {.valid = FATTR_MTIME, .mtime = 1234567890, .mtimensec = 123456789};
	struct fuse_setattr_in bad_times = {.valid = FATTR_MTIME, .mtimensec = 1000000000};
	struct stat info;

	assert_int_equal(client_ask(client, FUSE_SETATTR, node, STRUCT(size), NONE, NONE), 0);
	expect_content(place, "file", "con");
	assert_int_equal(client_ask(client, FUSE_SETATTR, node, STRUCT(times), NONE, NONE), 0);
	assert_int_equal(fstatat(place->dir, "file", &info, 0), 0);
	assert_int_equal(info.st_mtim.tv_sec, 1234567890);
	assert_int_equal(info.st_mtim.tv_nsec, 123456789);
	assert_int_equal(client_ask(client, FUSE_SETATTR, node, STRUCT(bad_times), NONE, NONE), -EINVAL);
	size.size = 1ULL << 63;
	assert_int_equal(client_ask(client, FUSE_SETATTR, node, STRUCT(size), NONE, NONE), -EFBIG);
}

/* Who owns what is the guest's business: remembered for it, and never so on the host. */
static void test_owners(void **state)
{
	struct place *place = *state;
	struct client *client = &place->client;
	uint64_t node = look(client, ROOT, "file"), made, handle, folder;
	struct fuse_setattr_in in = {.valid = FATTR_UID | FATTR_GID, .uid = 999, .gid = 998};
	struct fuse_getxattr_in get = {.size = 100};
	struct fuse_attr attr;
	struct stat info;

	assert_int_equal(client_ask(client, FUSE_SETATTR, node, STRUCT(in), NONE, NONE), 0);
	(void)look(client, ROOT, "file");
	(void)client_entry(client, &attr);
	assert_int_equal(attr.uid, 999);
	assert_int_equal(attr.gid, 998);
	assert_int_equal(fstatat(place->dir, "file", &info, 0), 0);
	assert_int_equal(info.st_uid, geteuid());
	assert_int_equal(client_ask(client, FUSE_LISTXATTR, node, STRUCT(get), NONE, NONE), 0);
	assert_int_equal(client->body.len, 0);
	assert_int_equal(
		client_ask(client, FUSE_REMOVEXATTR, node, client_name("user.sbx.owner"), NONE, NONE),
		-EOPNOTSUPP);
	in.uid = in.gid = SHARE_GUEST_UID;
	assert_int_equal(client_ask(client, FUSE_SETATTR, node, STRUCT(in), NONE, NONE), 0);
	(void)look(client, ROOT, "file");
	(void)client_entry(client, &attr);
	assert_int_equal(attr.uid, SHARE_GUEST_UID);
	client->uid = client->gid = 0;
	assert_int_equal(client_create(client, ROOT, "roots", O_RDWR, 0644, &made, &handle), 0);
	(void)client_entry(client, &attr);
	assert_int_equal(attr.uid, 0);
	assert_int_equal(client_mkdir(client, ROOT, "roots-folder", &folder), 0);
	(void)client_entry(client, &attr);
	assert_int_equal(attr.gid, 0);
	assert_int_equal(fsetxattr(place->dir, "user.sbx.owner", "1:2:3 nonsense", 14, 0), 0);
	assert_int_equal(client_ask(client, FUSE_GETATTR, ROOT, NONE, NONE, NONE), 0);
	memcpy(&attr, client->body.ptr + offsetof(struct fuse_attr_out, attr), sizeof(attr));
	assert_int_equal(attr.uid, SHARE_GUEST_UID);
}

static void test_names(void **state)
{
	struct place *place = *state;
	struct client *client = &place->client;
	uint64_t folder = look(client, ROOT, "folder"), node, other;
	struct fuse_link_in link = {.oldnodeid = look(client, ROOT, "file")};
	struct stat info;

	assert_int_equal(client_mkdir(client, folder, "below", &node), 0);
	assert_int_equal(client_rename(client, ROOT, "file", node, "moved", 0), 0);
	expect_content(place, "folder/below/moved", "content");
	assert_int_equal(client_look(client, ROOT, "file", &other), -ENOENT);
	assert_int_equal(client_ask(client, FUSE_LINK, ROOT, STRUCT(link), client_name("again"), NONE), 0);
	expect_content(place, "again", "content");
	assert_int_equal(client_rename(client, ROOT, "again", node, "moved", RENAME_NOREPLACE), -EEXIST);
	assert_int_equal(client_rename(client, ROOT, "again", ROOT, "folder", RENAME_EXCHANGE), 0);
	assert_int_equal(client_rename(client, ROOT, "again", ROOT, "folder", RENAME_EXCHANGE), 0);
	assert_int_equal(client_rename(client, ROOT, "again", ROOT, "other", RENAME_WHITEOUT), -EINVAL);
	assert_int_equal(client_ask(client, FUSE_RMDIR, ROOT, client_name("folder"), NONE, NONE), -ENOTEMPTY);
	assert_int_equal(client_ask(client, FUSE_UNLINK, node, client_name("moved"), NONE, NONE), 0);
	assert_int_equal(client_ask(client, FUSE_RMDIR, folder, client_name("below"), NONE, NONE), 0);
	assert_int_equal(
		client_ask(client, FUSE_SYMLINK, ROOT, client_name("link"), client_name("/etc/passwd"), NONE),
		0);
	assert_int_equal(fstatat(place->dir, "link", &info, AT_SYMLINK_NOFOLLOW), 0);
	assert_true(S_ISLNK(info.st_mode));
	assert_int_equal(client_ask(client, FUSE_READLINK, client_entry(client, NULL), NONE, NONE, NONE), 0);
	assert_true(slice_is(client->body, "/etc/passwd"));
}

/* All names, through answers that are too small for all at once. */
static void test_list(void **state)
{
	struct place *place = *state;
	struct client *client = &place->client;
	struct fuse_read_in in = {.size = 1024};
	unsigned count = 0, rounds = 0;
	char name[32];

	for (int i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "entry-%d", i);
		assert_int_equal(file_write_atomic(place->dir, name, 0600, slice_text(""), NULL), 0);
	}
	assert_int_equal(client_open(client, FUSE_OPENDIR, ROOT, 0, &in.fh), 0);
	for (;;) {
		assert_int_equal(client_ask(client, FUSE_READDIRPLUS, ROOT, STRUCT(in), NONE, NONE), 0);
		if (client->body.len == 0)
			break;
		assert_true(client->body.len <= in.size);
		for (struct slice left = client->body; left.len > 0;) {
			struct fuse_direntplus entry;

			memcpy(&entry, left.ptr, sizeof(entry) - 0);
			if (entry.dirent.namelen > 6 &&
			    memcmp(left.ptr + FUSE_NAME_OFFSET_DIRENTPLUS, "entry-", 6) == 0) {
				assert_true(entry.entry_out.nodeid > ROOT);
				count++;
			}
			in.offset = entry.dirent.off;
			left = slice_skip(left, FUSE_DIRENTPLUS_SIZE(&entry));
		}
		rounds++;
	}
	assert_int_equal(count, 100);
	assert_true(rounds > 10);
}

static void test_xattr(void **state)
{
	struct place *place = *state;
	struct client *client = &place->client;
	uint64_t node = look(client, ROOT, "file");
	struct {
		uint32_t size, flags;
	} set = {.size = 5};
	struct fuse_getxattr_in get = {.size = 100};

	assert_int_equal(client_ask(client, FUSE_SETXATTR, node, STRUCT(set), client_name("user.a"),
				    slice_text("value")),
			 0);
	assert_int_equal(client_ask(client, FUSE_GETXATTR, node, STRUCT(get), client_name("user.a"), NONE),
			 0);
	assert_true(slice_is(client->body, "value"));
	get.size = 3;
	assert_int_equal(client_ask(client, FUSE_GETXATTR, node, STRUCT(get), client_name("user.a"), NONE),
			 -ERANGE);
	assert_int_equal(client_ask(client, FUSE_SETXATTR, node, STRUCT(set),
				    client_name("security.capability"), slice_text("value")),
			 -EOPNOTSUPP);
	assert_int_equal(client_ask(client, FUSE_SETXATTR, node, STRUCT(set), client_name("trusted.a"),
				    slice_text("value")),
			 -EOPNOTSUPP);
	assert_int_equal(client_ask(client, FUSE_SETXATTR, node, STRUCT(set), client_name("user.b"),
				    slice_text("val")),
			 -EINVAL);
	assert_int_equal(client_ask(client, FUSE_REMOVEXATTR, node, client_name("user.a"), NONE, NONE), 0);
}

/* ---- what does not ---- */

static void test_bad_names(void **state)
{
	static const char *const names[] = {"", ".", "..", "a/b", "/", "../file", "/etc"};
	struct place *place = *state;
	struct client *client = &place->client;
	struct fuse_mkdir_in mkdir_in = {.mode = 0755};
	char long_name[5000];
	uint64_t node, handle;

	for (size_t i = 0; i < array_len(names); i++) {
		assert_int_equal(client_look(client, ROOT, names[i], &node), -EINVAL);
		assert_int_equal(client_create(client, ROOT, names[i], O_RDWR, 0644, &node, &handle),
				 -EINVAL);
		assert_int_equal(client_mkdir(client, ROOT, names[i], &node), -EINVAL);
		assert_int_equal(client_rename(client, ROOT, "file", ROOT, names[i], 0), -EINVAL);
		assert_int_equal(client_ask(client, FUSE_UNLINK, ROOT, client_name(names[i]), NONE, NONE),
				 -EINVAL);
	}
	memset(long_name, 'x', sizeof(long_name));
	long_name[sizeof(long_name) - 1] = '\0';
	assert_int_equal(client_look(client, ROOT, long_name, &node), -ENAMETOOLONG);
	long_name[256] = '\0';
	assert_int_equal(client_look(client, ROOT, long_name, &node), -ENAMETOOLONG);
	/* No NUL, and none within the message. */
	assert_int_equal(client_ask(client, FUSE_LOOKUP, ROOT, slice_text("file"), NONE, NONE), -EINVAL);
	assert_int_equal(client_ask(client, FUSE_MKDIR, ROOT, STRUCT(mkdir_in), slice_text("x"), NONE),
			 -EINVAL);
	assert_int_equal(client_ask(client, FUSE_LOOKUP, ROOT, NONE, NONE, NONE), -EINVAL);
}

static void test_short_structs(void **state)
{
	struct place *place = *state;
	struct client *client = &place->client;

	/* Every operation, with every length up to more than any of their structs has: answered, whatever it
	 * is. */
	for (uint32_t opcode = 0; opcode < 60; opcode++) {
		static const char zeros[128];

		for (size_t len = 0; len < sizeof(zeros); len++) {
			if (opcode == FUSE_INIT && len >= 8)
				continue;
			(void)client_ask(client, opcode, ROOT, slice_of(zeros, len), NONE, NONE);
		}
	}
	(void)look(client, ROOT, "file");
}

static void test_made_up_numbers(void **state)
{
	struct place *place = *state;
	struct client *client = &place->client;
	uint64_t node = look(client, ROOT, "file"), folder = look(client, ROOT, "folder"), handle, other;
	struct fuse_forget_in forget = {.nlookup = 1ULL << 60};
	struct fuse_setattr_in in = {.valid = FATTR_SIZE};
	struct fuse_release_in release = {.fh = 77};

	assert_int_equal(client_look(client, 12345, "file", &other), -ESTALE);
	assert_int_equal(client_look(client, 0, "file", &other), -ESTALE);
	assert_int_equal(client_look(client, node, "file", &other), -ENOTDIR);
	assert_int_equal(client_open(client, FUSE_OPEN, folder, O_RDONLY, &handle), -EISDIR);
	assert_int_equal(client_ask(client, FUSE_RELEASE, 12345, STRUCT(release), NONE, NONE), -ESTALE);
	assert_int_equal(client_read(client, folder, 0, 0, 10), -EISDIR);
	assert_int_equal(client_write(client, folder, 0, 0, slice_text("x")), -EISDIR);
	assert_int_equal(client_ask(client, FUSE_RELEASE, node, STRUCT(release), NONE, NONE), 0);
	assert_int_equal(client_read(client, node, 0, 0, 2 << 20), -EINVAL);
	assert_int_equal(client_read(client, node, 0, 1ULL << 63, 10), -EINVAL);
	assert_int_equal(client_read(client, node, 0, INT64_MAX - 5, 10), -EINVAL);
	/* Forgotten more often than told, twice; the root never. */
	(void)client_ask(client, FUSE_FORGET, node, STRUCT(forget), NONE, NONE);
	(void)client_ask(client, FUSE_FORGET, node, STRUCT(forget), NONE, NONE);
	(void)client_ask(client, FUSE_FORGET, ROOT, STRUCT(forget), NONE, NONE);
	assert_int_equal(client_ask(client, FUSE_SETATTR, node, STRUCT(in), NONE, NONE), -ESTALE);
	assert_true(look(client, ROOT, "file") != node); /* a number is never used again */
}

/* A link of the guest's leads somewhere in the guest; the host never follows it. */
static void test_links_are_not_followed(void **state)
{
	struct place *place = *state;
	struct client *client = &place->client;
	struct fuse_setattr_in in = {.valid = FATTR_MODE, .mode = 0777};
	uint64_t node, handle, other;

	assert_int_equal(symlinkat("/etc", place->dir, "etc"), 0);
	assert_int_equal(symlinkat("/etc/passwd", place->dir, "passwd"), 0);
	node = look(client, ROOT, "etc");
	assert_int_equal(client_look(client, node, "passwd", &other), -ENOTDIR);
	assert_int_equal(client_open(client, FUSE_OPENDIR, node, 0, &handle), -ENOTDIR);
	node = look(client, ROOT, "passwd");
	assert_int_equal(client_open(client, FUSE_OPEN, node, O_RDONLY, &handle), -EPERM);
	assert_int_equal(client_ask(client, FUSE_SETATTR, node, STRUCT(in), NONE, NONE), -EOPNOTSUPP);
	assert_int_equal(client_create(client, ROOT, "passwd", O_RDWR, 0644, &node, &handle), -EEXIST);
}

/* Neither a device nor a FIFO nor a socket is made, or opened, or waited for. */
static void test_special_files(void **state)
{
	struct place *place = *state;
	struct client *client = &place->client;
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct fuse_mknod_in in = {.rdev = 0x103};
	autofd int sock = socket(AF_UNIX, SOCK_STREAM, 0);
	static const uint32_t modes[] = {S_IFCHR | 0666, S_IFBLK | 0666, S_IFIFO | 0666, S_IFSOCK | 0666,
					 S_IFDIR | 0755};
	uint64_t handle;

	for (size_t i = 0; i < array_len(modes); i++) {
		in.mode = modes[i];
		assert_int_equal(client_ask(client, FUSE_MKNOD, ROOT, STRUCT(in), client_name("node"), NONE),
				 -EPERM);
	}
	assert_int_equal(mkfifoat(place->dir, "fifo", 0600), 0);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/sock", place->path);
	assert_int_equal(bind(sock, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(client_open(client, FUSE_OPEN, look(client, ROOT, "fifo"), O_RDWR, &handle), -EPERM);
	assert_int_equal(client_open(client, FUSE_OPEN, look(client, ROOT, "sock"), O_RDWR, &handle), -EPERM);
}

static void test_read_only(void **state)
{
	struct place *place = *state;
	struct client *client = &place->client;
	uint64_t file = look(client, ROOT, "file"), node, handle;
	struct fuse_setattr_in in = {.valid = FATTR_SIZE};
	struct fuse_link_in link = {.oldnodeid = file};

	assert_int_equal(client_open(client, FUSE_OPEN, file, O_RDONLY, &handle), 0);
	assert_int_equal(client_read(client, file, handle, 0, 100), 0);
	assert_true(slice_is(client->body, "content"));
	assert_int_equal(client_write(client, file, handle, 0, slice_text("x")), -EROFS);
	assert_int_equal(client_open(client, FUSE_OPEN, file, O_RDWR, &handle), -EROFS);
	assert_int_equal(client_open(client, FUSE_OPEN, file, O_RDONLY | O_TRUNC, &handle), -EROFS);
	assert_int_equal(client_ask(client, FUSE_SETATTR, file, STRUCT(in), NONE, NONE), -EROFS);
	assert_int_equal(client_create(client, ROOT, "x", O_RDWR, 0644, &node, &handle), -EROFS);
	assert_int_equal(client_mkdir(client, ROOT, "x", &node), -EROFS);
	assert_int_equal(client_rename(client, ROOT, "file", ROOT, "x", 0), -EROFS);
	assert_int_equal(client_ask(client, FUSE_UNLINK, ROOT, client_name("file"), NONE, NONE), -EROFS);
	assert_int_equal(client_ask(client, FUSE_LINK, ROOT, STRUCT(link), client_name("x"), NONE), -EROFS);
	expect_content(place, "file", "content");
}

/* A removed file goes on being the file that it was, for whoever has used it inside. */
static void test_removed_file(void **state)
{
	struct place *place = *state;
	struct client *client = &place->client;
	uint64_t node = look(client, ROOT, "file"), other;

	assert_int_equal(client_read(client, node, 0, 0, 100), 0);
	assert_int_equal(unlinkat(place->dir, "file", 0), 0);
	assert_int_equal(symlinkat("/etc/passwd", place->dir, "file"), 0);
	assert_int_equal(client_read(client, node, 0, 0, 100), 0);
	assert_true(slice_is(client->body, "content"));
	/* Removed inside, it may be open there although it was never read. */
	assert_int_equal(file_write_atomic(place->dir, "other", 0600, slice_text("other"), NULL), 0);
	other = look(client, ROOT, "other");
	assert_int_equal(client_ask(client, FUSE_UNLINK, ROOT, client_name("other"), NONE, NONE), 0);
	assert_int_equal(client_read(client, other, 0, 0, 100), 0);
	assert_true(slice_is(client->body, "other"));
	assert_int_equal(file_write_atomic(place->dir, "third", 0600, slice_text("third"), NULL), 0);
	assert_int_equal(file_write_atomic(place->dir, "fourth", 0600, slice_text("fourth"), NULL), 0);
	other = look(client, ROOT, "third");
	assert_int_equal(client_rename(client, ROOT, "fourth", ROOT, "third", 0), 0);
	assert_int_equal(client_read(client, other, 0, 0, 100), 0);
	assert_true(slice_is(client->body, "third"));
}

/* One that was only looked up is found by its name, or not at all: no other file, no link is taken for it. */
static void test_replaced_file(void **state)
{
	struct place *place = *state;
	struct client *client = &place->client;
	uint64_t node = look(client, ROOT, "file"), folder = look(client, ROOT, "folder"), inner;

	assert_int_equal(client_mkdir(client, folder, "below", &inner), 0);
	assert_int_equal(file_write_atomic(place->dir, "file", 0600, slice_text("another"), NULL), 0);
	/* As long as there are descriptors to spare, one has held it. */
	assert_int_equal(client_read(client, node, 0, 0, 100), 0);
	assert_true(slice_is(client->body, "content"));
	place->share->reach.held_max = 0;
	node = look(client, ROOT, "file");
	assert_int_equal(file_write_atomic(place->dir, "file", 0600, slice_text("a third"), NULL), 0);
	assert_int_equal(client_read(client, node, 0, 0, 100), -ESTALE);
	assert_int_equal(client_write(client, node, 0, 0, slice_text("x")), -ESTALE);
	assert_int_equal(client_ask(client, FUSE_GETATTR, node, NONE, NONE, NONE), -ESTALE);
	expect_content(place, "file", "a third");
	assert_int_not_equal(look(client, ROOT, "file"), node);
}

/* `make attack` takes more time for it than a check has. */
static long n_rounds(void)
{
	const char *text = getenv("SBX_ATTACK_ROUNDS");

	return text ? atol(text) : 20000;
}

/* Somebody on the host swaps a folder with a link that leads out, as fast as he can. */
static void test_swapped_parent(void **state)
{
	struct place *place = *state;
	struct client *client = &place->client;
	uint64_t node, inner;
	unsigned n_found = 0;
	pid_t pid;

	assert_int_equal(symlinkat("/etc", place->dir, "trap"), 0);
	{
		autofd int folder = file_open_dir(place->dir, "folder");

		assert_int_equal(file_write_atomic(folder, "hostname", 0600, slice_text("ours"), NULL), 0);
	}
	pid = fork();
	if (pid == 0)
		for (;;)
			(void)renameat2(place->dir, "folder", place->dir, "trap", RENAME_EXCHANGE);
	for (long i = n_rounds(); i > 0; i--) {
		uint64_t handle;

		if (client_look(client, ROOT, "folder", &node) < 0 ||
		    client_look(client, node, "hostname", &inner) < 0)
			continue;
		assert_int_equal(client_open(client, FUSE_OPEN, inner, O_RDONLY, &handle), 0);
		assert_int_equal(client_read(client, inner, handle, 0, 100), 0);
		assert_true(slice_is(client->body, "ours"));
		n_found++;
		(void)client_ask(client, FUSE_RELEASE, inner,
				 STRUCT(((struct fuse_release_in){.fh = handle})), NONE, NONE);
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	assert_true(n_found > 0);
}

/* Another server goes on where this one was. */
static void move_on(struct place *place)
{
	auto_buf struct buf state = {0};
	struct share *next;

	assert_int_equal(share_save(place->share, &state), 0);
	share_free(place->share);
	assert_int_equal(share_new(open(place->path, O_PATH | O_DIRECTORY | O_CLOEXEC), false, &next), 0);
	assert_int_equal(share_load(next, buf_slice(&state)), 0);
	place->share = place->client.server = next;
}

static void test_next_life(void **state)
{
	struct place *place = *state;
	struct client *client = &place->client;
	uint64_t folder = look(client, ROOT, "folder"), node, handle, gone, swapped, again;
	struct fuse_read_in in = {.size = 4096};

	assert_int_equal(client_create(client, folder, "deep", O_RDWR | O_EXCL, 0644, &node, &handle), 0);
	assert_int_equal(client_write(client, node, handle, 0, slice_text("before")), 0);
	assert_int_equal(client_create(client, ROOT, "gone", O_RDWR, 0644, &gone, &again), 0);
	assert_int_equal(unlinkat(place->dir, "gone", 0), 0);
	swapped = look(client, ROOT, "file");
	/* Moved on the host, and nobody has looked since. */
	assert_int_equal(renameat(place->dir, "folder", place->dir, "moved"), 0);
	move_on(place);
	assert_int_equal(client_write(client, node, handle, 6, slice_text(" and after")), 0);
	expect_content(place, "moved/deep", "before and after");
	assert_int_equal(client_ask(client, FUSE_READDIR, folder, STRUCT(in), NONE, NONE), 0);
	assert_true(client->body.len > 0);
	assert_int_equal(client_look(client, ROOT, "moved", &again), 0);
	assert_int_equal(again, folder);
	assert_int_equal(client_read(client, gone, 0, 0, 10), -ESTALE);
	assert_int_equal(client_look(client, ROOT, "file", &again), 0);
	assert_int_equal(again, swapped);
}

/* A file that has the same name in the next life is another one; so is a link that leads out. */
static void test_next_life_is_not_fooled(void **state)
{
	struct place *place = *state;
	auto_buf struct buf text = {0};
	uint64_t file = look(&place->client, ROOT, "file"), folder = look(&place->client, ROOT, "folder"),
		 other;
	struct share *next;

	assert_int_equal(share_save(place->share, &text), 0);
	assert_int_equal(unlinkat(place->dir, "file", 0), 0);
	assert_int_equal(symlinkat("/etc/passwd", place->dir, "file"), 0);
	assert_int_equal(unlinkat(place->dir, "folder", AT_REMOVEDIR), 0);
	assert_int_equal(symlinkat("/etc", place->dir, "folder"), 0);
	assert_int_equal(share_new(open(place->path, O_PATH | O_DIRECTORY | O_CLOEXEC), false, &next), 0);
	assert_int_equal(share_load(next, buf_slice(&text)), 0);
	share_free(place->share);
	place->share = place->client.server = next;
	assert_int_equal(client_read(&place->client, file, 0, 0, 10), -ESTALE);
	assert_int_equal(client_look(&place->client, folder, "passwd", &other), -ESTALE);
	assert_true(look(&place->client, ROOT, "file") > folder);
}

static void test_damaged_state(void **state)
{
	struct place *place = *state;
	auto_buf struct buf text = {0};
	uint64_t node = look(&place->client, ROOT, "file");

	assert_true(node > ROOT);
	assert_int_equal(share_save(place->share, &text), 0);
	for (size_t len = 0; len < text.len; len++) {
		struct share *next;

		assert_int_equal(share_new(open(place->path, O_PATH | O_DIRECTORY | O_CLOEXEC), false, &next),
				 0);
		assert_int_equal(share_load(next, slice_of(buf_text(&text), len)), -EBADMSG);
		share_free(next);
	}
	for (size_t i = 0; i < text.len * 8; i++) {
		struct share *next;

		text.data[text.start + i / 8] ^= (char)(1 << i % 8);
		assert_int_equal(share_new(open(place->path, O_PATH | O_DIRECTORY | O_CLOEXEC), false, &next),
				 0);
		(void)share_load(next, buf_slice(&text));
		share_free(next);
		text.data[text.start + i / 8] ^= (char)(1 << i % 8);
	}
}

static void test_before_init(void **state)
{
	struct place *place = *state;
	struct share *share;
	int root = open(place->path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct client client = {.talk = talk};
	struct fuse_init_in old = {.major = 7, .minor = 8};
	uint64_t node;

	assert_int_equal(share_new(root, false, &share), 0);
	client.server = share;
	assert_int_equal(client_look(&client, ROOT, "file", &node), -EIO);
	assert_int_equal(client_ask(&client, FUSE_INIT, 0, STRUCT(old), NONE, NONE), -EPROTO);
	assert_int_equal(client_init(&client), 0);
	assert_int_equal(client_look(&client, ROOT, "file", &node), 0);
	share_free(share);
	buf_done(&client.answer);
}

static void test_frames(void **state)
{
	struct fuse_in_header head = {.len = sizeof(head)};
	size_t len;

	(void)state;
	assert_int_equal(request_frame(slice_of(&head, 3), &len), PARSED_MORE);
	assert_int_equal(request_frame(slice_of(&head, sizeof(head) - 1), &len), PARSED_MORE);
	assert_int_equal(request_frame(slice_of(&head, sizeof(head)), &len), PARSED_OK);
	head.len = sizeof(head) - 1;
	assert_int_equal(request_frame(slice_of(&head, sizeof(head)), &len), PARSED_BAD);
	head.len = REQUEST_MAX_BYTES + 1;
	assert_int_equal(request_frame(slice_of(&head, sizeof(head)), &len), PARSED_BAD);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_read_and_write, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_unnamed_file, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_no_setuid, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_attributes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_owners, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_names, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_list, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_xattr, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_bad_names, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_short_structs, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_made_up_numbers, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_links_are_not_followed, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_special_files, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_read_only, set_up_read_only, tear_down),
		cmocka_unit_test_setup_teardown(test_removed_file, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_replaced_file, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_swapped_parent, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_next_life, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_next_life_is_not_fooled, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_damaged_state, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_before_init, set_up, tear_down),
		cmocka_unit_test(test_frames),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
