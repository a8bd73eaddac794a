#include "cli/wish.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

void wish_done(struct wish *wish)
{
	for (size_t i = 0; i < wish->count; i++)
		folder_close(&wish->folders[i]);
	free(wish->folders);
	free(wish->workspace);
	*wish = (struct wish){0};
}

static int name_workspace(struct wish *wish, const char *path, struct err *err)
{
	wish->workspace = strdup(path);
	return wish->workspace ? 0 : err_errno(err, -ENOMEM, "cannot open the folders");
}

static int add(const struct paths *paths, const struct folder_words *words, bool allows_home,
	       struct wish *wish, struct err *err)
{
	int r;

	if (wish->count >= ENGINE_SHARES)
		return err_set(err, -E2BIG, "a sandbox can have %d folders at most", ENGINE_SHARES);
	r = folder_open(words, paths, allows_home, &wish->folders[wish->count], err);
	if (r == 0)
		wish->count++;
	return r;
}

static int add_folder(const struct paths *paths, const char *text, bool allows_home, struct wish *wish,
		      struct err *err)
{
	struct folder_words words;
	int r = folder_parse(text, false, &words, err);

	if (r < 0)
		return r;
	r = add(paths, &words, allows_home, wish, err);
	if (r == -ENOENT)
		return err_set(err, r, "there is no folder '%s'; what is for the agent goes after '--'",
			       words.path);
	if (r == 0 && wish->count == 1 && wish->folders[0].is_file)
		return err_set(err, -ENOTDIR, "'%s' is a file: name the folder to work in first", words.path);
	return r < 0 || wish->workspace ? r : name_workspace(wish, wish->folders[0].source, err);
}

static int add_mount(const struct paths *paths, const char *text, bool allows_home, struct wish *wish,
		     struct err *err)
{
	struct folder_words words;
	int r = folder_parse(text, true, &words, err);

	r = r < 0 ? r : add(paths, &words, allows_home, wish, err);
	if (r < 0 || wish->workspace || words.target[0] || wish->folders[wish->count - 1].is_file)
		return r;
	return name_workspace(wish, wish->folders[wish->count - 1].source, err);
}

int wish_open(const struct paths *paths, const struct wish_words *words, struct wish *ret, struct err *err)
{
	int r = 0;

	ret->folders = calloc(ENGINE_SHARES, sizeof(*ret->folders));
	if (!ret->folders)
		return err_errno(err, -ENOMEM, "cannot open the folders");
	for (size_t i = 0; r == 0 && i < words->n_folders; i++)
		r = add_folder(paths, words->folders[i], words->allows_home, ret, err);
	for (size_t i = 0; r == 0 && i < words->mounts->count; i++)
		r = add_mount(paths, words->mounts->items[i], words->allows_home, ret, err);
	r = r < 0 ? r : folder_check_all(ret->folders, ret->count, err);
	if (r < 0 || ret->workspace)
		return r;
	ret->lacks_current = true;
	ret->workspace = getcwd(NULL, 0);
	return 0;
}

int wish_add_current(const struct paths *paths, bool allows_home, struct wish *wish, struct err *err)
{
	const struct folder_words current = {.path = "."};
	int r;

	if (!wish->lacks_current)
		return 0;
	r = add(paths, &current, allows_home, wish, err);
	wish->lacks_current = r < 0;
	return r < 0 ? r : folder_check_all(wish->folders, wish->count, err);
}

int wish_describe(const struct wish *wish, struct sandbox *sandbox, struct err *err)
{
	int r = 0;

	if (!wish->workspace)
		return err_set(err, -ESTALE, "the current folder is gone");
	sandbox->workspace = strdup(wish->workspace);
	if (!sandbox->workspace)
		return err_errno(err, -ENOMEM, "cannot describe the sandbox");
	for (size_t i = 0; r == 0 && i < wish->count; i++) {
		struct folder *folder = &wish->folders[i];
		const struct sandbox_share share = {.source = folder->source,
						    .target = folder->target,
						    .is_read_only = folder->is_read_only,
						    .is_file = folder->is_file};

		r = sandbox_add_share(sandbox, &share, err);
	}
	return r;
}

static const struct sandbox_share *find(const struct sandbox *sandbox, const struct folder *folder)
{
	for (size_t i = 0; i < sandbox->n_shares; i++) {
		const struct sandbox_share *share = &sandbox->shares[i];

		if (!share->is_gone && strcmp(share->source, folder->source) == 0 &&
		    strcmp(share->target, folder->target) == 0)
			return share;
	}
	return NULL;
}

int wish_check_had(const struct wish *wish, const struct sandbox *sandbox, struct err *err)
{
	for (size_t i = 0; i < wish->count; i++) {
		const struct folder *folder = &wish->folders[i];
		const struct sandbox_share *share = find(sandbox, folder);
		bool is_elsewhere = strcmp(folder->source, folder->target) != 0;

		if (share && share->is_read_only != folder->is_read_only)
			return err_set(
				err, -EEXIST,
				"sandbox '%s' has '%s' %s: 'sbx umount %s %s' and then 'sbx mount' change "
				"that",
				sandbox->name, folder->source,
				share->is_read_only ? "for reading only" : "for writing too", sandbox->name,
				folder->source);
		if (!share)
			return err_set(err, -EEXIST,
				       "sandbox '%s' does not have '%s'%s%s: 'sbx mount %s %s%s%s%s' adds it",
				       sandbox->name, folder->source, is_elsewhere ? " at " : "",
				       is_elsewhere ? folder->target : "", sandbox->name, folder->source,
				       is_elsewhere ? ":" : "", is_elsewhere ? folder->target : "",
				       folder->is_read_only ? ":ro" : "");
	}
	return 0;
}
