#include "cli/secret.h"

#include "base/log.h"
#include "cli/client.h"
#include "store/index.h"
#include "store/services.h"
#include "supervisor/sandbox.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* A command may take a minute, and a person at a keychain's prompt another one. */
enum { GIVE_LIMIT_MS = 150000 };

/* Of many: what is to be asked of which. */
struct telling {
	struct client_status *list; /* owned */
	size_t count;
};

static int begin(const struct paths *paths, const char *sandbox, const char *const *services,
		 struct client_status *status)
{
	struct err err;
	int pipe = secret_store_feed(paths, sandbox, services, &err);

	if (pipe < 0) {
		log_line("%s", err.text);
		return pipe;
	}
	*status = (struct client_status){.name = sandbox, .file = pipe};
	return 0;
}

static void complain(const struct client_status *status)
{
	const char *error = json_string_value(json_object_get(status->reply, "error"));

	if (status->state == CLIENT_STOPPED || json_is_true(json_object_get(status->reply, "ok")))
		return;
	if (!status->reply)
		log_line("sandbox '%s' does not answer: it keeps the secrets that it has", status->name);
	else
		log_line("sandbox '%s' keeps the secrets that it has: %s", status->name,
			 error ? error : "its answer makes no sense");
}

static void finish(const struct paths *paths, struct telling *telling)
{
	client_statuses_with(paths, "secrets", -1, telling->list, telling->count, GIVE_LIMIT_MS);
	for (size_t i = 0; i < telling->count; i++) {
		complain(&telling->list[i]);
		close(telling->list[i].file);
		json_decref(telling->list[i].reply);
	}
}

static bool is_running(const struct paths *paths, const char *name)
{
	autofd int fd = client_connect(paths, name, NULL);

	return fd >= 0;
}

void secret_tell(const struct paths *paths, const char *sandbox, const char *service)
{
	const char *const services[] = {service, NULL};
	char *only[] = {(char *)(uintptr_t)sandbox, NULL}, **names = NULL;
	autofree struct client_status *list = NULL;
	struct telling telling = {0};
	struct err err;
	size_t count = 0;

	if (!sandbox && sandbox_names(paths, SHELF_SANDBOXES, &names, &err) < 0) {
		log_line("sandboxes that run keep the secrets that they have: %s", err.text);
		return;
	}
	for (char **name = sandbox ? only : names; *name; name++)
		count++;
	list = calloc(count + 1, sizeof(*list));
	telling.list = list;
	for (char **name = sandbox ? only : names; list && *name; name++)
		if (is_running(paths, *name) && begin(paths, *name, services, &list[telling.count]) == 0)
			telling.count++;
	finish(paths, &telling);
	sandbox_names_free(names);
}

/* ---- at a start ---- */

static bool is_in_environment(const struct secret_binding *binding)
{
	char name[SECRET_HEADER_MAX_BYTES + 1];

	for (size_t i = 0; i < binding->n_names; i++) {
		const char *text;

		snprintf(name, sizeof(name), "%.*s", (int)binding->names[i].len, binding->names[i].ptr);
		text = getenv(name);
		if (text && *text)
			return true;
	}
	return false;
}

/* Most sandboxes of most people have none or few, and no process is needed to find that out. */
static bool has_any(const struct paths *paths)
{
	static struct services services;
	static struct index index;
	struct err err;
	bool has = false;
	int r = index_load(paths, &index, &err);

	if (r == 0 && index.count > 0)
		has = true;
	else if (r == 0)
		r = services_load(paths, &services, &err);
	for (size_t i = 0; r == 0 && !has && i < services.count; i++)
		has = is_in_environment(&services.items[i].binding);
	if (r < 0)
		log_line("secrets cannot be used: %s", err.text);
	services_done(&services);
	index_done(&index);
	return r == 0 && has;
}

void secret_give(const struct paths *paths, const char *sandbox)
{
	struct client_status status;
	struct telling telling = {.list = &status, .count = 1};

	if (has_any(paths) && begin(paths, sandbox, NULL, &status) == 0)
		finish(paths, &telling);
}
