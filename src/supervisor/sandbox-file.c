/* sandbox.json: what a sandbox was asked to be. Read strictly: what is missing or of another type is an
 * error. */
#include "supervisor/sandbox-file.h"

#include "base/fd.h"
#include "base/file.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>

enum { FILE_MAX_BYTES = 4 << 20, FILE_VERSION = 1 };

static void free_json(json_t **json)
{
	json_decref(*json);
}
#define auto_json __attribute__((cleanup(free_json)))

static json_t *lines_to_json(char **lines)
{
	json_t *array = json_array();

	for (; lines && *lines; lines++)
		json_array_append_new(array, json_stringn_nocheck(*lines, strlen(*lines)));
	return array;
}

/* NULL where a path cannot be written. */
static json_t *shares_to_json(const struct sandbox *sandbox)
{
	json_t *array = json_array();

	for (size_t i = 0; i < sandbox->n_shares; i++) {
		const struct sandbox_share *share = &sandbox->shares[i];
		json_t *one = json_pack("{s:s, s:s, s:i, s:b, s:b, s:b}", "source", share->source, "target",
					share->target, "port", (int)share->port, "read_only",
					share->is_read_only, "file", share->is_file, "gone", share->is_gone);

		if (json_array_append_new(array, one) < 0) {
			json_decref(array);
			return NULL;
		}
	}
	return array;
}

int sandbox_save(int dir_fd, const struct sandbox *sandbox, struct err *err)
{
	auto_json json_t *json =
		json_pack("{s:i, s:s, s:s, s:s?, s:s, s:I, s:I, s:I, s:o, s:o, s:o, s:s, s:I}", "version",
			  FILE_VERSION, "name", sandbox->name, "agent", sandbox->agent, "workspace",
			  sandbox->workspace, "template", sandbox->template, "cpus",
			  (json_int_t)sandbox->cpus, "memory_mib", (json_int_t)sandbox->memory_mib,
			  "disk_mib", (json_int_t)sandbox->disk_mib, "env", lines_to_json(sandbox->env),
			  "shares", shares_to_json(sandbox), "guard", lines_to_json(sandbox->guard),
			  "machine_id", sandbox->machine_id, "created", (json_int_t)sandbox->created);
	autofree char *text = json ? json_dumps(json, JSON_INDENT(2)) : NULL;

	if (!text)
		return err_set(err, -EINVAL, "the folder's path or the environment is not valid UTF-8");
	return file_write_atomic(dir_fd, "sandbox.json", 0600, slice_text(text), err);
}

static int lines_from_json(const json_t *array, char ***ret)
{
	size_t count = json_array_size(array);
	char **lines = calloc(count + 1, sizeof(*lines));

	if (!lines)
		return -ENOMEM;
	*ret = lines;
	for (size_t i = 0; i < count; i++) {
		const char *text = json_string_value(json_array_get(array, i));

		lines[i] = text ? strdup(text) : NULL;
		if (!lines[i])
			return -EINVAL;
	}
	return 0;
}

static int take_share(json_t *json, struct sandbox_share *ret)
{
	const char *source, *target;
	int port, is_read_only, is_file, is_gone;

	if (json_unpack(json, "{s:s, s:s, s:i, s:b, s:b, s:b}", "source", &source, "target", &target, "port",
			&port, "read_only", &is_read_only, "file", &is_file, "gone", &is_gone) < 0 ||
	    source[0] != '/' || target[0] != '/' || port < 0 || port >= ENGINE_SHARES)
		return -EINVAL;
	*ret = (struct sandbox_share){.source = strdup(source),
				      .target = strdup(target),
				      .port = (unsigned)port,
				      .is_read_only = is_read_only,
				      .is_file = is_file,
				      .is_gone = is_gone};
	return ret->source && ret->target ? 0 : -ENOMEM;
}

/* Also counts what is half taken, so that it is freed. */
static int take_shares(const json_t *array, struct sandbox *ret)
{
	size_t count = json_array_size(array);
	unsigned ports = 0;
	int r = 0;

	if (!array)
		return 0;
	if (!json_is_array(array) || count > ENGINE_SHARES)
		return -EINVAL;
	ret->shares = calloc(count + 1, sizeof(*ret->shares));
	for (size_t i = 0; ret->shares && r == 0 && i < count; i++) {
		r = take_share(json_array_get(array, i), &ret->shares[i]);
		ret->n_shares = i + 1;
		if (r == 0 && ports & 1U << ret->shares[i].port)
			r = -EINVAL;
		ports |= 1U << ret->shares[i].port;
	}
	return ret->shares ? r : -ENOMEM;
}

static int take(const json_t *json, struct sandbox *ret)
{
	const char *name, *agent, *template, *machine_id;
	json_int_t cpus, memory, disk, created;
	const char *workspace;
	json_t *env, *folder, *shares = NULL, *guard = NULL;
	int version, r;

	if (json_unpack((json_t *)(uintptr_t)json,
			"{s:i, s:s, s:s, s:o, s:s, s:I, s:I, s:I, s:o, s?o, s?o, s:s, s:I}", "version",
			&version, "name", &name, "agent", &agent, "workspace", &folder, "template", &template,
			"cpus", &cpus, "memory_mib", &memory, "disk_mib", &disk, "env", &env, "shares",
			&shares, "guard", &guard, "machine_id", &machine_id, "created", &created) < 0)
		return -EINVAL;
	if (version != FILE_VERSION || !sandbox_name_ok(name) ||
	    strlen(machine_id) != sizeof(ret->machine_id) - 1)
		return -EINVAL;
	if (cpus < 1 || cpus > 1024 || memory < 1 || disk < 1)
		return -EINVAL;
	workspace = json_string_value(folder);
	strcpy(ret->name, name);
	strcpy(ret->machine_id, machine_id);
	ret->cpus = (unsigned)cpus;
	ret->memory_mib = (uint64_t)memory;
	ret->disk_mib = (uint64_t)disk;
	ret->created = created;
	ret->agent = strdup(agent);
	ret->template = strdup(template);
	ret->workspace = workspace ? strdup(workspace) : NULL;
	if (!ret->agent || !ret->template || (workspace && !ret->workspace))
		return -ENOMEM;
	r = take_shares(shares, ret);
	r = r < 0 || !guard ? r : lines_from_json(guard, &ret->guard);
	return r < 0 ? r : lines_from_json(env, &ret->env);
}

int sandbox_load(const struct paths *paths, enum shelf shelf, const char *name, struct sandbox *ret,
		 struct err *err)
{
	autofd int dir = sandbox_open_dir(paths, shelf, name, err);
	auto_sandbox struct sandbox sandbox = {0};
	auto_json json_t *json = NULL;
	auto_buf struct buf text = {0};
	int r;

	if (dir < 0)
		return dir;
	r = file_read(dir, "sandbox.json", FILE_MAX_BYTES, &text);
	if (r < 0)
		return err_errno(err, r, "cannot read the description of %s '%s'", sandbox_word(shelf), name);
	json = json_loadb(buf_text(&text), text.len, 0, NULL);
	r = json ? take(json, &sandbox) : -EINVAL;
	if (r == 0 && strcmp(sandbox.name, name) != 0)
		r = -EINVAL;
	if (r < 0)
		return err_set(err, r, "sandbox.json of %s '%s' is damaged: 'sbx %srm %s' removes it",
			       sandbox_word(shelf), name, shelf == SHELF_SNAPSHOTS ? "snapshot " : "", name);
	*ret = sandbox;
	sandbox = (struct sandbox){0};
	return 0;
}
