#include "cli/secret.h"

#include "base/log.h"
#include "store/index.h"
#include "store/services.h"
#include "store/store-main.h"
#include "supervisor/sandbox.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

int secret_check_sandbox(const struct paths *paths, const char *sandbox, struct err *err)
{
	autofd int dir = sandbox && *sandbox ? sandbox_open_dir(paths, SHELF_SANDBOXES, sandbox, err) : -1;

	return sandbox && *sandbox && dir < 0 ? dir : 0;
}

/* A value that nothing leads to any more. */
static int drop_value(enum index_source source, const char *key, struct err *err)
{
	const char *const words[] = {"drop", key, index_source_names[source], NULL};
	auto_buf struct buf answer = {0};
	struct err why = {.text = ""};
	int r = source == INDEX_COMMAND ? 0 : secret_store_ask(words, &answer, NULL, &why);

	return r < 0 ? err_set(err, r, "the value that was kept in the %s is still there%s%s",
			       index_source_names[source], *why.text ? ": " : "", why.text)
		     : 0;
}

/* The sandboxes are told whatever became of the old value. */
static int settle(const struct paths *paths, const char *sandbox, const char *service, bool takes_long,
		  int dropped, struct err *err)
{
	struct err why;
	int r = secret_tell(paths, *sandbox ? sandbox : NULL, service, takes_long, &why);

	if (r < 0 && dropped < 0)
		log_line("%s", err->text);
	if (r < 0)
		*err = why;
	return r < 0 ? r : dropped;
}

static int put_value(const struct secret_wish *wish, const char *key, enum index_source *ret, struct err *err)
{
	const char *const words[] = {"put", key, wish->variable, NULL};
	auto_buf struct buf answer = {0};
	int r = secret_store_ask(words, &answer, NULL, err);

	*ret = strncmp(buf_text(&answer), "file", 4) == 0 ? INDEX_FILE : INDEX_KEYCHAIN;
	if (r == 0)
		fprintf(stderr, "Kept in the %s.\n",
			*ret == INDEX_KEYCHAIN ? "keychain"
			: strstr(buf_text(&answer), STORE_UNTIL_RESTART)
				? "encrypted file, until this machine restarts"
				: "encrypted file");
	return r;
}

/* What is in the list now; the source that it had before is put into *ret_before where there was one. */
static int list_it(const struct paths *paths, const struct secret_wish *wish, enum index_source source,
		   bool *ret_had, enum index_source *ret_before, struct err *err)
{
	static struct index index;
	autofd int lock = index_lock(paths, err);
	struct index_entry *entry;
	int r = lock < 0 ? lock : index_load(paths, &index, err);

	*ret_had = r == 0 && (entry = index_find(&index, wish->service, wish->sandbox)) != NULL;
	if (*ret_had)
		*ret_before = entry->source;
	entry = r < 0 ? NULL : index_put(&index, wish->service, wish->sandbox, err);
	if (r == 0 && !entry)
		r = -E2BIG;
	if (entry) {
		free(entry->command);
		entry->command = wish->command ? strdup(wish->command) : NULL;
		entry->source = source;
		entry->refresh_s = wish->refresh_s;
		entry->since = time(NULL);
		r = index_save(paths, &index, err);
	}
	index_done(&index);
	return r;
}

int secret_keep(const struct paths *paths, const struct secret_wish *wish, struct err *err)
{
	enum index_source source = INDEX_COMMAND, before = INDEX_COMMAND;
	char key[INDEX_KEY_BYTES];
	bool had = false;
	int r = 0;

	index_key(wish->service, wish->sandbox, key);
	if (!wish->command)
		r = put_value(wish, key, &source, err);
	r = r < 0 ? r : list_it(paths, wish, source, &had, &before, err);
	if (r < 0)
		return r;
	if (had && before != source)
		r = drop_value(before, key, err);
	return settle(paths, wish->sandbox, wish->service, wish->command != NULL, r, err);
}

/* ---- removing ---- */

/* What counts after another one has gone may have to be asked for. */
static bool has_command(const struct index *index, const char *service)
{
	for (size_t i = 0; i < index->count; i++)
		if (index->entries[i].command && strcmp(index->entries[i].service, service) == 0)
			return true;
	return false;
}

/* A service of the person's own goes with its last secret. */
static int drop_service(const struct paths *paths, struct index *index, const char *name, struct err *err)
{
	static struct services services;
	const struct service *service;
	int r = 0;

	for (size_t i = 0; i < index->count; i++)
		if (strcmp(index->entries[i].service, name) == 0)
			return 0;
	if (services_load(paths, &services, err) == 0 &&
	    services_find(&services, name, &service, NULL) == 0 && service->is_custom)
		r = services_remove(paths, name, err);
	services_done(&services);
	return r;
}

int secret_remove(const struct paths *paths, const char *service, const char *sandbox, struct err *err)
{
	static struct index index;
	autofd int lock = index_lock(paths, err);
	enum index_source source = INDEX_COMMAND;
	char key[INDEX_KEY_BYTES];
	struct index_entry *entry;
	bool takes_long;
	int r = lock < 0 ? lock : index_load(paths, &index, err);

	entry = r < 0 ? NULL : index_find(&index, service, sandbox);
	if (r == 0 && !entry)
		r = err_set(err, -ENOENT, "there is no secret '%s'%s%s", service,
			    *sandbox ? " for sandbox " : "", sandbox);
	if (entry) {
		source = entry->source;
		index_drop(&index, entry);
		r = index_save(paths, &index, err);
	}
	r = r < 0 ? r : drop_service(paths, &index, service, err);
	takes_long = has_command(&index, service);
	index_done(&index);
	if (r < 0)
		return r;
	index_key(service, sandbox, key);
	r = drop_value(source, key, err);
	return settle(paths, sandbox, service, takes_long, r, err);
}

void secret_forget_sandbox(const struct paths *paths, const char *sandbox)
{
	static struct index index; /* of its own: the others change theirs */
	struct err err = {.text = ""};
	int r = index_load(paths, &index, &err);

	for (size_t i = 0; r == 0 && i < index.count; i++)
		if (strcmp(index.entries[i].sandbox, sandbox) == 0)
			r = secret_remove(paths, index.entries[i].service, sandbox, &err);
	if (r < 0)
		log_line("the secrets of sandbox '%s' alone are still there: %s", sandbox, err.text);
	index_done(&index);
}
