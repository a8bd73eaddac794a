#include "cli/policy-files.h"

#include "base/fd.h"
#include "base/file.h"
#include "base/log.h"
#include "cli/client.h"
#include "supervisor/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>

enum { LOCK_LIMIT_SECONDS = 5, TELL_LIMIT_MS = 2000 };

int policy_file_open(const struct paths *paths, const char *sandbox, struct policy_file *ret, struct err *err)
{
	struct policy_file file = {.sandbox = sandbox};

	if (sandbox) {
		file.dir = sandbox_open_dir(paths, SHELF_SANDBOXES, sandbox, err);
		snprintf(file.source, sizeof(file.source), "sandbox '%s'", sandbox);
		snprintf(file.path, sizeof(file.path), "%s/sandboxes/%s/" POLICY_FILE_NAME, paths->data,
			 sandbox);
	} else {
		file.dir = file_open_dir(AT_FDCWD, paths->config);
		if (file.dir < 0)
			err_errno(err, file.dir, "cannot open '%s'", paths->config);
		strcpy(file.source, "global");
		snprintf(file.path, sizeof(file.path), "%s/" POLICY_FILE_NAME, paths->config);
	}
	if (file.dir < 0)
		return file.dir;
	*ret = file;
	return 0;
}

void policy_file_close(struct policy_file *file)
{
	if (file->dir >= 0)
		close(steal_fd(&file->dir));
}

bool policy_file_exists(const struct policy_file *file)
{
	return faccessat(file->dir, POLICY_FILE_NAME, F_OK, AT_SYMLINK_NOFOLLOW) == 0 || errno != ENOENT;
}

/* The lock is the folder's, so that it holds while the file is replaced. */
int policy_file_lock(const struct policy_file *file, struct err *err)
{
	int r = file_lock(file->dir, LOCK_LIMIT_SECONDS);

	if (r == -EBUSY)
		return err_set(err, r, "another command is changing '%s': try again in a moment", file->path);
	return r < 0 ? err_errno(err, r, "cannot lock the folder of '%s'", file->path) : 0;
}

int policy_file_read(const struct policy_file *file, struct buf *ret, struct err *err)
{
	int r = file_read(file->dir, POLICY_FILE_NAME, POLICY_TEXT_MAX_BYTES, ret);

	if (r == -ENOENT)
		return 0;
	if (r == -ELOOP || r == -EINVAL)
		return err_set(err, r, "'%s' is not a regular file", file->path);
	return r < 0 ? err_errno(err, r, "cannot read '%s'", file->path) : 0;
}

int policy_file_parse(const struct policy_file *file, struct slice text, struct policy *into, struct err *err)
{
	struct policy_error error;
	int r = policy_parse(text, file->source, into, &error);

	if (r == 0)
		return 0;
	if (error.line > 0)
		return err_set(err, r, "%s, line %u: %s", file->path, error.line, error.text);
	return err_set(err, r, "%s: %s", file->path, error.text);
}

int policy_file_write(const struct policy_file *file, struct slice text, struct err *err)
{
	return file_write_atomic(file->dir, POLICY_FILE_NAME, 0600, text, err);
}

int policy_file_remove(const struct policy_file *file, struct err *err)
{
	if (unlinkat(file->dir, POLICY_FILE_NAME, 0) < 0 && errno != ENOENT)
		return err_errno(err, -errno, "cannot remove '%s'", file->path);
	return fsync(file->dir) < 0 ? err_errno(err, -errno, "cannot sync the folder of '%s'", file->path)
				    : 0;
}

static int add_layer(const struct policy_file *file, struct policy *policy, struct err *err)
{
	auto_buf struct buf text = {0};
	int r = policy_file_read(file, &text, err);

	return r < 0 ? r : policy_file_parse(file, buf_slice(&text), policy, err);
}

int policy_all_load(const struct paths *paths, const char *sandbox, struct policy_all *ret, struct err *err)
{
	int r = policy_file_open(paths, NULL, &ret->global, err);

	if (r == 0 && sandbox)
		r = policy_file_open(paths, sandbox, &ret->own, err);
	r = r < 0 ? r : add_layer(&ret->global, &ret->policy, err);
	return r == 0 && sandbox ? add_layer(&ret->own, &ret->policy, err) : r;
}

void policy_all_done(struct policy_all *all)
{
	policy_file_close(&all->global);
	policy_file_close(&all->own);
	policy_done(&all->policy);
}

void policy_warn(const struct paths *paths, const char *sandbox)
{
	auto_policy_all struct policy_all all = POLICY_ALL_NONE;
	struct err err;

	if (policy_all_load(paths, sandbox, &all, &err) < 0)
		log_line("%s; until that is mended, '%s' reaches nothing", err.text, sandbox);
}

/* ---- telling ---- */

/* A supervisor that takes no rules has no connections to judge by them. */
static bool has_taken(const struct client_status *status)
{
	static const char unknown[] = "there is no such";
	const char *error = json_string_value(json_object_get(status->reply, "error"));

	if (status->state == CLIENT_STOPPED || json_is_true(json_object_get(status->reply, "ok")) ||
	    (error && strncmp(error, unknown, sizeof(unknown) - 1) == 0))
		return true;
	if (!status->reply)
		log_line("sandbox '%s' does not answer: it keeps the rules that it has", status->name);
	else
		log_line("sandbox '%s' keeps the rules that it has: %s", status->name,
			 error ? error : "its answer makes no sense");
	return false;
}

static int tell_all(const struct paths *paths, char **names, struct err *err)
{
	autofree struct client_status *list = NULL;
	size_t count = 0;
	bool have_taken = true;

	while (names[count])
		count++;
	list = calloc(count + 1, sizeof(*list));
	if (!list)
		return err_errno(err, -ENOMEM, "cannot tell the sandboxes that run");
	for (size_t i = 0; i < count; i++)
		list[i].name = names[i];
	client_statuses_of(paths, "policy", list, count, TELL_LIMIT_MS);
	for (size_t i = 0; i < count; i++) {
		have_taken &= has_taken(&list[i]);
		json_decref(list[i].reply);
	}
	return have_taken ? 0
			  : err_set(err, -EAGAIN,
				    "the rules are changed, but not in each sandbox that runs: 'sbx policy "
				    "apply' tries again, 'sbx rm --force' ends one");
}

int policy_tell(const struct paths *paths, const char *sandbox, struct err *err)
{
	char *only[] = {(char *)(uintptr_t)sandbox, NULL}, **names = NULL;
	int r;

	if (sandbox)
		return tell_all(paths, only, err);
	r = sandbox_names(paths, SHELF_SANDBOXES, &names, err);
	r = r < 0 ? r : tell_all(paths, names, err);
	sandbox_names_free(names);
	return r;
}
