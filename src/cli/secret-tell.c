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
enum { STATUS_LIMIT_MS = 1000, GIVE_LIMIT_MS = 150000, TELL_LIMIT_MS = 8000, TELL_LONG_LIMIT_MS = 65000 };

/* Of many: what is to be asked of which. */
struct telling {
	const char *op;
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

static bool has_taken(const struct client_status *status)
{
	const char *error = json_string_value(json_object_get(status->reply, "error"));

	if (status->state == CLIENT_STOPPED || json_is_true(json_object_get(status->reply, "ok")))
		return true;
	if (!status->reply)
		log_line("sandbox '%s' does not answer: it keeps the secrets that it has", status->name);
	else
		log_line("sandbox '%s' has not taken the secrets: %s", status->name,
			 error ? error : "its answer makes no sense");
	return false;
}

/* What is kept somewhere and did not come was said by the store. */
static void say_lost(const struct paths *paths, const struct client_status *status)
{
	const json_t *lost = json_object_get(status->reply, "lost");
	static struct index index;
	struct err err;

	if (json_array_size(lost) == 0 || index_load(paths, &index, &err) < 0)
		return;
	for (size_t i = 0; i < json_array_size(lost); i++) {
		const char *service = json_string_value(json_array_get(lost, i));

		if (service && secret_is_service(slice_text(service)) &&
		    !index_for(&index, service, status->name))
			log_line("the secret '%s' of sandbox '%s' has gone with its vault, and is kept "
				 "nowhere: "
				 "'sbx run' with its variable in the environment gives it anew",
				 service, status->name);
	}
	index_done(&index);
}

static bool finish(const struct paths *paths, struct telling *telling, int limit_ms)
{
	bool have_taken = true;

	client_statuses_of(paths, telling->op, telling->list, telling->count, limit_ms);
	for (size_t i = 0; i < telling->count; i++) {
		have_taken &= has_taken(&telling->list[i]);
		say_lost(paths, &telling->list[i]);
		close(telling->list[i].file);
		json_decref(telling->list[i].reply);
	}
	return have_taken;
}

/* One that starts is given all there is when it has; one that stops needs nothing more. */
static bool is_to_be_told(const struct client_status *status, bool *have_taken)
{
	if (status->state == CLIENT_NOT_ANSWERING)
		*have_taken &= has_taken(status);
	return status->state == CLIENT_RUNNING || status->state == CLIENT_PAUSED ||
	       status->state == CLIENT_DISK_FULL;
}

/* Those that run, of these; a list of the caller's. */
static struct client_status *find_running(const struct paths *paths, char **names, size_t *ret_count,
					  bool *have_taken)
{
	struct client_status *list;
	size_t count = 0, kept = 0;

	while (names[count])
		count++;
	list = calloc(count + 1, sizeof(*list));
	for (size_t i = 0; list && i < count; i++)
		list[i].name = names[i];
	if (list)
		client_statuses(paths, list, count, STATUS_LIMIT_MS);
	for (size_t i = 0; list && i < count; i++) {
		bool is_told = is_to_be_told(&list[i], have_taken);

		json_decref(list[i].reply);
		if (is_told)
			list[kept++] = list[i];
	}
	*ret_count = kept;
	return list;
}

int secret_tell(const struct paths *paths, const char *sandbox, const char *service, bool takes_long,
		struct err *err)
{
	const char *const services[] = {service, NULL};
	char *only[] = {(char *)(uintptr_t)sandbox, NULL}, **names = NULL;
	struct telling telling = {.op = "secrets"};
	bool have_taken = true;
	size_t count = 0;
	int r = sandbox ? 0 : sandbox_names(paths, SHELF_SANDBOXES, &names, err);

	if (r < 0)
		return err_add(err, r, "sandboxes that run keep the secrets that they have");
	telling.list = find_running(paths, sandbox ? only : names, &count, &have_taken);
	for (size_t i = 0; i < count; i++) {
		if (begin(paths, telling.list[i].name, services, &telling.list[telling.count]) == 0)
			telling.count++;
		else
			have_taken = false;
	}
	have_taken &= finish(paths, &telling, takes_long ? TELL_LONG_LIMIT_MS : TELL_LIMIT_MS);
	free(telling.list);
	sandbox_names_free(names);
	return have_taken
		       ? 0
		       : err_set(err, -EAGAIN,
				 "the secret is changed, but not in each sandbox that runs: the same command "
				 "tries again, 'sbx rm --force' ends one");
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

void secret_give(const struct paths *paths, const char *sandbox, bool is_needed)
{
	struct client_status status;
	struct telling telling = {.op = "all-secrets", .list = &status, .count = 1};

	if ((is_needed || has_any(paths)) && begin(paths, sandbox, NULL, &status) == 0)
		(void)finish(paths, &telling, GIVE_LIMIT_MS);
}
