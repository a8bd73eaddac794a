#include "cli/shares.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

void shares_close(struct shares_files *files)
{
	for (size_t i = 0; i < array_len(files->fds); i++)
		if (files->fds[i] >= 0)
			close(steal_fd(&files->fds[i]));
}

/*
 * The same path may lead elsewhere by now: a folder inside another one that a sandbox may change can have
 * become a link of the sandbox's to anything. What was asked for is the path without links.
 */
static int check_is_same(const struct sandbox *sandbox, const struct sandbox_share *share,
			 const struct folder *folder, struct err *err)
{
	if (strcmp(folder->source, share->source) == 0 && folder->is_file == share->is_file)
		return 0;
	return err_set(err, -ESTALE,
		       "'%s' of sandbox '%s' is not what it was: put it back, or 'sbx umount %s %s' goes on "
		       "without it",
		       share->source, sandbox->name, sandbox->name, share->source);
}

static int open_one(const struct paths *paths, const struct sandbox *sandbox,
		    const struct sandbox_share *share, struct folder *ret, struct err *err)
{
	struct folder_words words = {.is_read_only = share->is_read_only};
	int r;

	if (snprintf(words.path, sizeof(words.path), "%s", share->source) >= (int)sizeof(words.path) ||
	    snprintf(words.target, sizeof(words.target), "%s", share->target) >= (int)sizeof(words.target))
		return err_set(err, -ENAMETOOLONG, "the path '%.40s…' is too long", share->source);
	/* That the home folder is meant was said when it was added. */
	r = folder_open(&words, paths, /* allows_home= */ true, ret, err);
	if (r == -ENOENT || r == -ENOTDIR)
		return err_set(
			err, r,
			"'%s' of sandbox '%s' is not there: put it back, or 'sbx umount %s %s' goes on "
			"without it",
			share->source, sandbox->name, sandbox->name, share->source);
	if (r < 0)
		return err_add(err, r, "sandbox '%s'", sandbox->name);
	r = check_is_same(sandbox, share, ret, err);
	if (r < 0)
		folder_close(ret);
	return r;
}

/* Opens all that are not gone. *ret_count of *list are open, also on failure. */
static int open_all(const struct paths *paths, const struct sandbox *sandbox, struct folder *list,
		    unsigned *ports, size_t *ret_count, struct err *err)
{
	int r = 0;

	*ret_count = 0;
	for (size_t i = 0; r == 0 && i < sandbox->n_shares; i++) {
		if (sandbox->shares[i].is_gone)
			continue;
		r = open_one(paths, sandbox, &sandbox->shares[i], &list[*ret_count], err);
		if (r == 0)
			ports[(*ret_count)++] = sandbox->shares[i].port;
	}
	return r;
}

int shares_open(const struct paths *paths, const struct sandbox *sandbox, struct shares_files *ret,
		struct err *err)
{
	autofree struct folder *list = calloc(ENGINE_SHARES, sizeof(*list));
	unsigned ports[ENGINE_SHARES];
	size_t count = 0;
	int r;

	if (!list)
		return err_errno(err, -ENOMEM, "cannot open the folders of '%s'", sandbox->name);
	r = open_all(paths, sandbox, list, ports, &count, err);
	r = r < 0 ? r : folder_check_all(list, count, err);
	for (size_t i = 0; i < count; i++) {
		if (r == 0)
			ret->fds[ports[i]] = steal_fd(&list[i].fd);
		folder_close(&list[i]);
	}
	return r;
}

/* What is mounted later lies over what was mounted before. */
static int check_hides_none(const struct sandbox *sandbox, const struct folder *more, struct err *err)
{
	for (size_t i = 0; i < sandbox->n_shares; i++) {
		const struct sandbox_share *share = &sandbox->shares[i];

		if (!share->is_gone && strcmp(share->target, more->target) != 0 &&
		    folder_has(more->target, share->target))
			return err_set(err, -EBUSY,
				       "'%s' would hide '%s' in the sandbox: 'sbx umount %s %s' first",
				       more->target, share->target, sandbox->name, share->target);
	}
	return 0;
}

int shares_check_more(const struct paths *paths, const struct sandbox *sandbox, const struct folder *more,
		      struct err *err)
{
	autofree struct folder *list = calloc(ENGINE_SHARES + 1, sizeof(*list));
	unsigned ports[ENGINE_SHARES];
	size_t count = 0;
	int r;

	if (!list)
		return err_errno(err, -ENOMEM, "cannot open the folders of '%s'", sandbox->name);
	r = check_hides_none(sandbox, more, err);
	r = r < 0 ? r : open_all(paths, sandbox, list, ports, &count, err);
	if (r == 0) {
		list[count] = *more;
		r = folder_check_all(list, count + 1, err);
	}
	for (size_t i = 0; i < count; i++)
		folder_close(&list[i]);
	return r;
}

const char *shares_working_folder(const struct sandbox *sandbox)
{
	for (size_t i = 0; sandbox->workspace && i < sandbox->n_shares; i++) {
		const struct sandbox_share *share = &sandbox->shares[i];

		if (!share->is_gone && !share->is_file && strcmp(share->source, sandbox->workspace) == 0)
			return share->target;
	}
	return NULL;
}
