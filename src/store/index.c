#include "store/index.h"

#include "base/buf.h"
#include "base/file.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>

enum { TEXT_MAX_BYTES = 2 << 20, LOCK_LIMIT_S = 5 };

static const char file_name[] = "secrets.json";

const char *const index_source_names[] = {
	[INDEX_KEYCHAIN] = "keychain", [INDEX_FILE] = "file", [INDEX_COMMAND] = "command"};

void index_done(struct index *index)
{
	for (size_t i = 0; i < index->count; i++)
		free(index->entries[i].command);
	index->count = 0;
}

void index_key(const char *service, const char *sandbox, char ret[INDEX_KEY_BYTES])
{
	snprintf(ret, INDEX_KEY_BYTES, "%s%s%s", service, *sandbox ? "@" : "", sandbox);
}

static int open_config(const struct paths *paths, struct err *err)
{
	int dir = file_open_dir(AT_FDCWD, paths->config);

	return dir < 0 ? err_errno(err, dir, "cannot open '%s'", paths->config) : dir;
}

/* ---- reading ---- */

static int parse_source(const char *text, enum index_source *ret)
{
	for (int i = INDEX_KEYCHAIN; i <= INDEX_COMMAND; i++) {
		if (strcmp(text, index_source_names[i]) == 0) {
			*ret = (enum index_source)i;
			return 0;
		}
	}
	return -EINVAL;
}

static int take(struct index *index, const json_t *row, struct err *err)
{
	const char *service, *sandbox = "", *source, *command = NULL;
	json_int_t refresh_s = 0, since = 0;
	enum index_source kind;
	struct index_entry *entry;

	if (json_unpack((json_t *)(uintptr_t)row, "{s:s, s?s, s:s, s?s, s?I, s?I}", "service", &service,
			"sandbox", &sandbox, "source", &source, "command", &command, "refresh", &refresh_s,
			"since", &since) < 0 ||
	    !secret_is_service(slice_text(service)) || strlen(sandbox) >= INDEX_SANDBOX_BYTES ||
	    !text_is_line(sandbox) || parse_source(source, &kind) < 0 || refresh_s < 0 ||
	    refresh_s > UINT32_MAX || (kind == INDEX_COMMAND) != (command != NULL))
		return err_set(err, -EINVAL, "an entry makes no sense");
	entry = index_put(index, service, sandbox, err);
	if (!entry)
		return -E2BIG;
	entry->source = kind;
	entry->refresh_s = (unsigned)refresh_s;
	entry->since = since;
	free(entry->command);
	entry->command = command ? strdup(command) : NULL;
	return 0;
}

static int parse(struct slice text, struct index *ret, struct err *err)
{
	json_t *list = json_loadb(text.ptr, text.len, JSON_REJECT_DUPLICATES, NULL), *row;
	int r = json_is_array(list) ? 0 : err_set(err, -EINVAL, "it is not a JSON array");
	size_t i;

	json_array_foreach(list, i, row) r = r < 0 ? r : take(ret, row, err);
	json_decref(list);
	return r;
}

int index_load(const struct paths *paths, struct index *ret, struct err *err)
{
	autofd int dir = open_config(paths, err);
	auto_buf struct buf text = {0};
	int r;

	ret->count = 0;
	if (dir < 0)
		return dir;
	r = file_read(dir, file_name, TEXT_MAX_BYTES, &text);
	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return err_errno(err, r, "cannot read '%s/%s'", paths->config, file_name);
	r = parse(buf_slice(&text), ret, err);
	return r < 0 ? err_add(err, r, "%s/%s", paths->config, file_name) : 0;
}

/* ---- writing ---- */

static json_t *describe(const struct index_entry *entry)
{
	json_t *row = json_pack("{s:s, s:s, s:I}", "service", entry->service, "source",
				index_source_names[entry->source], "since", (json_int_t)entry->since);

	if (*entry->sandbox)
		json_object_set_new(row, "sandbox", json_string(entry->sandbox));
	if (entry->command)
		json_object_set_new(row, "command", json_string(entry->command));
	if (entry->refresh_s)
		json_object_set_new(row, "refresh", json_integer(entry->refresh_s));
	return row;
}

int index_save(const struct paths *paths, const struct index *index, struct err *err)
{
	autofd int dir = open_config(paths, err);
	json_t *list = json_array();
	char *text;
	int r;

	for (size_t i = 0; i < index->count; i++)
		json_array_append_new(list, describe(&index->entries[i]));
	text = json_dumps(list, JSON_INDENT(2));
	json_decref(list);
	if (dir >= 0 && !text)
		r = err_errno(err, -ENOMEM, "cannot list the secrets");
	else
		r = dir < 0 ? dir : file_write_atomic(dir, file_name, 0600, slice_text(text), err);
	free(text);
	return r;
}

/* A file of its own, as the list is replaced, and the folder is what commands about rules lock. */
int index_lock(const struct paths *paths, struct err *err)
{
	autofd int dir = open_config(paths, err), fd = -1;
	int r;

	if (dir < 0)
		return dir;
	fd = openat(dir, "secrets.lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	r = fd < 0 ? -errno : file_lock(fd, LOCK_LIMIT_S);
	if (r == -EBUSY)
		return err_set(err, r, "another command is changing the secrets: try again in a moment");
	return r < 0 ? err_errno(err, r, "cannot lock the list of secrets") : steal_fd(&fd);
}

/* ---- entries ---- */

struct index_entry *index_find(struct index *index, const char *service, const char *sandbox)
{
	for (size_t i = 0; i < index->count; i++)
		if (strcmp(index->entries[i].service, service) == 0 &&
		    strcmp(index->entries[i].sandbox, sandbox) == 0)
			return &index->entries[i];
	return NULL;
}

struct index_entry *index_for(struct index *index, const char *service, const char *sandbox)
{
	struct index_entry *own = index_find(index, service, sandbox);

	return own ? own : index_find(index, service, "");
}

struct index_entry *index_put(struct index *index, const char *service, const char *sandbox, struct err *err)
{
	struct index_entry *entry = index_find(index, service, sandbox);

	if (entry)
		return entry;
	if (index->count == INDEX_MAX) {
		err_set(err, -E2BIG, "there are %d secrets already: remove some", INDEX_MAX);
		return NULL;
	}
	entry = &index->entries[index->count++];
	*entry = (struct index_entry){.service = ""};
	snprintf(entry->service, sizeof(entry->service), "%s", service);
	snprintf(entry->sandbox, sizeof(entry->sandbox), "%s", sandbox);
	return entry;
}

void index_drop(struct index *index, struct index_entry *entry)
{
	free(entry->command);
	index->count--;
	memmove(entry, entry + 1, (size_t)(&index->entries[index->count] - entry) * sizeof(*entry));
}
