#include "cli/copy.h"

#include "base/fd.h"
#include "base/file.h"
#include "cli/client.h"
#include "cli/policy-files.h"
#include "store/placeholder.h"
#include "supervisor/copy.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { COPY_LIMIT_MS = 60 * 60 * 1000 };

static int take_reply(const json_t *reply, struct saved *ret, struct err *err)
{
	const char *machine, *base;
	json_int_t base_bytes;

	*ret = (struct saved){.base = ""};
	if (json_unpack((json_t *)(uintptr_t)reply, "{s:s, s:s, s:I}", "machine", &machine, "base", &base,
			"base_bytes", &base_bytes) < 0 ||
	    snprintf(ret->machine, sizeof(ret->machine), "%s", machine) >= (int)sizeof(ret->machine) ||
	    snprintf(ret->base, sizeof(ret->base), "%s", base) >= (int)sizeof(ret->base))
		return err_set(err, -EBADMSG, "the supervisor's answer makes no sense");
	ret->base_bytes = (uint64_t)base_bytes;
	return 0;
}

/* Its supervisor writes into the files of the copy. */
static int copy_running(const struct paths *paths, const char *from, int fd, const struct stage *stage,
			struct err *err)
{
	struct copy_files files;
	struct saved saved;
	json_t *reply = NULL;
	int r = copy_open(stage, &files, err);

	if (r == 0) {
		const int fds[] = {files.disk, files.devices, files.memory, files.folders};

		r = client_ask_with_files(fd, json_pack("{s:s}", "op", "save"), fds, array_len(fds),
					  COPY_LIMIT_MS, &reply, err);
	}
	r = r < 0 ? r : take_reply(reply, &saved, err);
	r = r < 0 ? r : copy_finish(paths, from, stage, &files, &saved, err);
	copy_close(&files);
	json_decref(reply);
	return r;
}

static int fill(const struct paths *paths, enum shelf from_shelf, const char *from, const struct stage *stage,
		bool *ret_is_running, struct err *err)
{
	autofd int fd = from_shelf == SHELF_SANDBOXES ? client_connect(paths, from, err) : -ECONNREFUSED;

	*ret_is_running = fd >= 0;
	if (fd == -ECONNREFUSED)
		return copy_still(paths, from_shelf, from, stage, err);
	return fd < 0 ? fd : copy_running(paths, from, fd, stage, err);
}

/* Its own rules: what is denied to it is denied to what continues from it. */
static int copy_policy(const struct paths *paths, enum shelf from_shelf, const char *from,
		       const struct stage *stage, struct err *err)
{
	autofd int dir = sandbox_open_dir(paths, from_shelf, from, err);
	auto_buf struct buf text = {0};
	int r;

	if (dir < 0)
		return dir;
	r = file_read(dir, POLICY_FILE_NAME, POLICY_TEXT_MAX_BYTES, &text);
	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return err_errno(err, r, "cannot copy the rules of '%s'", from);
	return file_write_atomic(stage->dir, POLICY_FILE_NAME, 0600, buf_slice(&text), err);
}

/* What runs in a fork trusts its parent's authority and knows its placeholders. Others that continue from the
 * same state get their own.
 */
static int copy_own(const struct paths *paths, const char *from, const char *name, const struct stage *stage,
		    struct err *err)
{
	autofd int dir = sandbox_open_dir(paths, SHELF_SANDBOXES, from, err);
	struct buf text = {0};
	int r = dir < 0 ? dir : 0;

	if (r < 0)
		return r;
	if (!buf_space(&text, SANDBOX_AUTHORITY_MAX_BYTES))
		return err_errno(err, -ENOMEM, "cannot copy the file '%s' of '%s'", name, from);
	r = file_read(dir, name, SANDBOX_AUTHORITY_MAX_BYTES, &text);
	if (r == 0)
		r = file_write_atomic(stage->dir, name, 0600, buf_slice(&text), err);
	else
		r = r == -ENOENT ? 0 : err_errno(err, r, "cannot copy the file '%s' of '%s'", name, from);
	explicit_bzero(text.data, text.room);
	buf_done(&text);
	return r;
}

static int copy_identity(const struct paths *paths, const char *from, const struct stage *stage,
			 struct err *err)
{
	int r = copy_own(paths, from, SANDBOX_AUTHORITY, stage, err);

	return r < 0 ? r : copy_own(paths, from, PLACEHOLDER_FILE_NAME, stage, err);
}

int copy_make(const struct paths *paths, enum shelf from_shelf, const char *from, enum shelf shelf,
	      const char *name, struct sandbox *ret, bool *ret_is_running, struct err *err)
{
	auto_sandbox struct sandbox sandbox = {0};
	auto_stage struct stage stage = STAGE_NONE;
	bool is_running;
	int r = sandbox_load(paths, from_shelf, from, &sandbox, err);

	if (r < 0)
		return r;
	if (!sandbox_name_ok(name))
		return err_set(err, -EINVAL, "'%s' cannot be a name: " SANDBOX_NAME_RULE, name);
	strcpy(sandbox.name, name);
	sandbox.machine_id[0] = '\0';
	r = stage_open(paths, shelf, &sandbox, &stage, err);
	r = r < 0 ? r : fill(paths, from_shelf, from, &stage, &is_running, err);
	r = r < 0 ? r : copy_policy(paths, from_shelf, from, &stage, err);
	if (r == 0 && from_shelf == SHELF_SANDBOXES && shelf == SHELF_SANDBOXES)
		r = copy_identity(paths, from, &stage, err);
	r = r < 0 ? r : stage_publish(&stage, &sandbox, err);
	if (r < 0)
		return r;
	if (ret_is_running)
		*ret_is_running = is_running;
	*ret = sandbox;
	sandbox = (struct sandbox){0};
	return 0;
}
