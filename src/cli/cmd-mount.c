/*
 * Two commands that are each other's opposite. A sandbox that runs is asked; the description of one that is
 * stopped is changed under its lock, and its next start sees to it.
 */
#include "cli/client.h"
#include "cli/command.h"
#include "cli/options.h"
#include "cli/shares.h"
#include "cli/start.h"
#include "supervisor/sandbox-file.h"

#include "base/fd.h"
#include "base/text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { ASK_LIMIT_MS = 15000 };

struct mount_call {
	bool allows_home;
};

static const struct option_row mount_rows[] = {
	{"allow-home", 0, OPTION_FLAG, offsetof(struct mount_call, allows_home), NULL,
	 "let the home folder as a whole be shared"},
	{0},
};

static const struct options mount_options = {
	.rows = mount_rows,
	.usage = "sbx mount SANDBOX [PATH[:TARGET][:ro]]",
	.text = "Shares one more folder with a sandbox: at the same path inside or at TARGET, with ':ro' for "
		"reading\n"
		"only. A file can be shared for reading. Without PATH, lists what the sandbox has.",
};

static const struct option_row umount_rows[] = {{0}};

static const struct options umount_options = {
	.rows = umount_rows,
	.usage = "sbx umount SANDBOX PATH",
	.text = "Takes a folder away from a sandbox. PATH is the folder's, on the host or inside.",
};

/* ---- a sandbox that is stopped ---- */

/* Its description, which stays as it is while *lock is open. Close *dir too. */
static int open_stopped(const struct paths *paths, const char *name, struct sandbox *ret, int *dir, int *lock,
			struct err *err)
{
	*dir = sandbox_open_dir(paths, SHELF_SANDBOXES, name, err);
	if (*dir < 0)
		return *dir;
	*lock = sandbox_lock(*dir, 0);
	if (*lock == -EBUSY)
		return err_set(err, *lock, "sandbox '%s' is in use by another command: try again in a moment",
			       name);
	if (*lock < 0)
		return err_errno(err, *lock, "cannot lock sandbox '%s'", name);
	return sandbox_load(paths, SHELF_SANDBOXES, name, ret, err);
}

/* One that was taken away since the last start: the guest may have it still, and then keeps it as it is. */
static bool take_back(struct sandbox *sandbox, const struct sandbox_share *wanted)
{
	for (size_t i = 0; i < sandbox->n_shares; i++) {
		struct sandbox_share *share = &sandbox->shares[i];

		if (share->is_gone && share->is_read_only == wanted->is_read_only &&
		    share->is_file == wanted->is_file && strcmp(share->source, wanted->source) == 0 &&
		    strcmp(share->target, wanted->target) == 0) {
			share->is_gone = false;
			return true;
		}
	}
	return false;
}

static int add_to_stopped(const struct paths *paths, const char *name, const struct sandbox_share *share,
			  struct err *err)
{
	auto_sandbox struct sandbox sandbox = {0};
	autofd int dir = -1, lock = -1;
	int r = open_stopped(paths, name, &sandbox, &dir, &lock, err);

	if (r == 0 && (sandbox_find_share(&sandbox, share->target) || !take_back(&sandbox, share)))
		r = sandbox_add_share(&sandbox, share, err);
	return r < 0 ? r : sandbox_save(dir, &sandbox, err);
}

static int drop_from_stopped(const struct paths *paths, const char *name, const char *path, struct err *err)
{
	auto_sandbox struct sandbox sandbox = {0};
	autofd int dir = -1, lock = -1;
	struct sandbox_share *share;
	int r = open_stopped(paths, name, &sandbox, &dir, &lock, err);

	if (r < 0)
		return r;
	share = sandbox_find_share(&sandbox, path);
	if (!share)
		return 0;
	share->is_gone = true;
	return sandbox_save(dir, &sandbox, err);
}

/* ---- mount ---- */

static int ask_mount(const struct paths *paths, const char *name, const struct folder *folder,
		     struct err *err)
{
	autofd int fd = client_connect(paths, name, err);

	if (fd < 0)
		return fd;
	return client_ask_with_files(fd,
				     json_pack("{s:s, s:s, s:s, s:b, s:b}", "op", "mount", "source",
					       folder->source, "target", folder->target, "read_only",
					       folder->is_read_only, "file", folder->is_file),
				     &folder->fd, 1, ASK_LIMIT_MS, NULL, err);
}

static int add(const struct paths *paths, const struct sandbox *sandbox, struct folder *folder,
	       struct err *err)
{
	const struct sandbox_share share = {.source = folder->source,
					    .target = folder->target,
					    .is_read_only = folder->is_read_only,
					    .is_file = folder->is_file};
	int r = shares_check_more(paths, sandbox, folder, err);

	r = r < 0 ? r : start_is_running(paths, sandbox->name, err);
	if (r < 0)
		return r;
	return r > 0 ? ask_mount(paths, sandbox->name, folder, err)
		     : add_to_stopped(paths, sandbox->name, &share, err);
}

static int mount_one(const struct paths *paths, const struct mount_call *call, const struct sandbox *sandbox,
		     const char *text, struct err *err)
{
	struct folder_words words;
	struct folder folder;
	int r = folder_parse(text, true, &words, err);

	r = r < 0 ? r : folder_open(&words, paths, call->allows_home, &folder, err);
	if (r < 0)
		return r;
	r = add(paths, sandbox, &folder, err);
	folder_close(&folder);
	return r;
}

static void print_path(const char *path, int width)
{
	auto_buf struct buf shown = {0};

	(void)text_printable(&shown, slice_text(path), false);
	printf("%-*s", width, buf_text(&shown));
}

static void list(const struct sandbox *sandbox)
{
	int width = (int)strlen("FOLDER");

	for (size_t i = 0; i < sandbox->n_shares; i++)
		if ((int)strlen(sandbox->shares[i].source) > width)
			width = (int)strlen(sandbox->shares[i].source);
	printf("%-*s  %-10s  %s\n", width, "FOLDER", "ACCESS", "INSIDE");
	for (size_t i = 0; i < sandbox->n_shares; i++) {
		const struct sandbox_share *share = &sandbox->shares[i];

		if (share->is_gone)
			continue;
		print_path(share->source, width);
		printf("  %-10s  ", share->is_read_only ? "read-only" : "read-write");
		print_path(share->target, 0);
		putchar('\n');
	}
}

static int run_mount(int argc, char **argv)
{
	auto_sandbox struct sandbox sandbox = {0};
	struct mount_call call = {0};
	struct paths paths;
	struct words words;
	struct err err;
	enum options_result result = options_parse(&mount_options, argc, argv, &call, &words, &err);

	if (result == OPTIONS_HELP)
		return 0;
	if (result == OPTIONS_OK && (words.count < 1 || words.count > 2)) {
		err_set(&err, 0, "sbx mount takes a sandbox and the folder to share");
		result = OPTIONS_BAD;
	}
	if (result == OPTIONS_BAD)
		return command_misuse("mount", &err);
	if (paths_open(&paths, &err) < 0 ||
	    sandbox_load(&paths, SHELF_SANDBOXES, words.items[0], &sandbox, &err) < 0)
		return command_fail(&err);
	if (words.count == 1)
		list(&sandbox);
	else if (mount_one(&paths, &call, &sandbox, words.items[1], &err) < 0)
		return command_fail(&err);
	return 0;
}

/* ---- umount ---- */

/* By where the path leads, and by its text, as what it names may be gone or inside only. */
static const struct sandbox_share *find(const struct sandbox *sandbox, const char *path)
{
	autofree char *leads_to = realpath(path, NULL), *base = getcwd(NULL, 0);
	const struct sandbox_share *share = leads_to ? sandbox_find_share(sandbox, leads_to) : NULL;
	char clean[FOLDER_PATH_BYTES];

	if (share || folder_clean(path, base ? base : "/", clean) < 0)
		return share;
	return sandbox_find_share(sandbox, clean);
}

static int umount_one(const struct paths *paths, const struct sandbox *sandbox, const char *path,
		      struct err *err)
{
	const struct sandbox_share *share = find(sandbox, path);
	autofd int fd = -1;
	int r;

	if (!share)
		return err_set(err, -ENOENT,
			       "sandbox '%s' does not have '%s': 'sbx mount %s' shows what it has",
			       sandbox->name, path, sandbox->name);
	r = start_is_running(paths, sandbox->name, err);
	if (r <= 0)
		return r < 0 ? r : drop_from_stopped(paths, sandbox->name, share->target, err);
	fd = client_connect(paths, sandbox->name, err);
	if (fd < 0)
		return fd;
	return client_ask_with(fd, json_pack("{s:s, s:s}", "op", "umount", "path", share->target),
			       ASK_LIMIT_MS, NULL, err);
}

static int run_umount(int argc, char **argv)
{
	auto_sandbox struct sandbox sandbox = {0};
	struct paths paths;
	struct words words;
	struct err err;
	enum options_result result = options_parse(&umount_options, argc, argv, NULL, &words, &err);

	if (result == OPTIONS_HELP)
		return 0;
	if (result == OPTIONS_OK && words.count != 2) {
		err_set(&err, 0, "sbx umount takes a sandbox and a folder that it has");
		result = OPTIONS_BAD;
	}
	if (result == OPTIONS_BAD)
		return command_misuse("umount", &err);
	if (paths_open(&paths, &err) < 0 ||
	    sandbox_load(&paths, SHELF_SANDBOXES, words.items[0], &sandbox, &err) < 0 ||
	    umount_one(&paths, &sandbox, words.items[1], &err) < 0)
		return command_fail(&err);
	return 0;
}

const struct command cmd_mount = {
	.name = "mount", .summary = "share one more folder with a sandbox", .run = run_mount};
const struct command cmd_umount = {
	.name = "umount", .summary = "take a folder away from a sandbox", .run = run_umount};
