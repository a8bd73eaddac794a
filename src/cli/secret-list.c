/* ls, rm: which secrets there are, never their values. */
#include "cli/command.h"
#include "cli/options.h"
#include "cli/secret.h"
#include "store/index.h"
#include "store/services.h"

#include "base/text.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct list_call {
	bool is_json;
	const char *sandbox;
};

static const struct option_row ls_rows[] = {
	{"json", 0, OPTION_FLAG, offsetof(struct list_call, is_json), NULL, "print JSON"},
	{0},
};

static const struct option_row rm_rows[] = {
	{"sandbox", 0, OPTION_TEXT, offsetof(struct list_call, sandbox), "NAME",
	 "the one for this sandbox only"},
	{0},
};

static const struct options ls_options = {
	.rows = ls_rows,
	.usage = "sbx secret ls [OPTIONS]",
	.text = "Lists the secrets that sandboxes can use, and those that are in this shell's environment "
		"and "
		"would\n"
		"count for a sandbox that is started from it. Values are never shown.",
};

static const struct options rm_options = {
	.rows = rm_rows,
	.usage = "sbx secret rm [OPTIONS] SERVICE|VARIABLE...",
	.text = "Removes secrets, from sandboxes that run too.",
};

/* ---- ls ---- */

static json_t *names_of(const struct secret_binding *binding)
{
	json_t *list = json_array();

	for (size_t i = 0; i < binding->n_names; i++)
		json_array_append_new(list, json_stringn(binding->names[i].ptr, binding->names[i].len));
	return list;
}

static json_t *hosts_of(const struct secret_binding *binding)
{
	json_t *list = json_array();

	for (size_t i = 0; i < binding->n_hosts; i++) {
		const struct secret_host *host = &binding->hosts[i];
		auto_buf struct buf text = {0};

		(void)buf_printf(&text, "%.*s", (int)host->pattern.len, host->pattern.ptr);
		if (host->port != SECRET_PORT)
			(void)buf_printf(&text, ":%u", host->port);
		json_array_append_new(list, json_string(buf_text(&text)));
	}
	return list;
}

static json_t *row_of(const struct service *service, const char *sandbox, const char *source)
{
	return json_pack("{s:s, s:s?, s:s, s:o, s:o}", "service", service->name, "sandbox",
			 *sandbox ? sandbox : NULL, "source", source, "env", names_of(&service->binding),
			 "hosts", hosts_of(&service->binding));
}

static void add_kept(json_t *list, const struct index *index, const struct service *service)
{
	for (size_t i = 0; i < index->count; i++) {
		const struct index_entry *entry = &index->entries[i];
		json_t *row;

		if (strcmp(entry->service, service->name) != 0)
			continue;
		row = row_of(service, entry->sandbox, index_source_names[entry->source]);
		if (entry->command)
			json_object_set_new(row, "command", json_string(entry->command));
		if (entry->refresh_s)
			json_object_set_new(row, "refresh_seconds", json_integer(entry->refresh_s));
		json_object_set_new(row, "since", json_integer(entry->since));
		json_array_append_new(list, row);
	}
}

/* What is kept counts more. */
static void add_environment(json_t *list, struct index *index, const struct service *service)
{
	const struct secret_binding *binding = &service->binding;

	for (size_t i = 0; !index_find(index, service->name, "") && i < binding->n_names; i++) {
		char name[SECRET_HEADER_MAX_BYTES + 1];
		const char *text;

		snprintf(name, sizeof(name), "%.*s", (int)binding->names[i].len, binding->names[i].ptr);
		text = getenv(name);
		if (!text || *text == '\0')
			continue;
		json_array_append_new(list, row_of(service, "", "environment"));
		return;
	}
}

static int collect(json_t *list, struct err *err)
{
	static struct services services;
	static struct index index;
	struct paths paths;
	int r = paths_open(&paths, err);

	r = r < 0 ? r : services_load(&paths, &services, err);
	r = r < 0 ? r : index_load(&paths, &index, err);
	for (size_t i = 0; r == 0 && i < services.count; i++) {
		add_kept(list, &index, &services.items[i]);
		add_environment(list, &index, &services.items[i]);
	}
	services_done(&services);
	index_done(&index);
	return r;
}

static const char *text_of(const json_t *row, const char *key, const char *without)
{
	const char *text = json_string_value(json_object_get(row, key));

	return text ? text : without;
}

static void print_row(const json_t *row)
{
	const json_t *hosts = json_object_get(row, "hosts");
	auto_buf struct buf list = {0}, shown = {0};
	const json_t *host;
	size_t i;

	json_array_foreach((json_t *)(uintptr_t)hosts, i, host)(void)
		buf_printf(&list, "%s%s", i > 0 ? " " : "", json_string_value(host));
	(void)text_printable(&shown, slice_text(text_of(row, "sandbox", "all")), false);
	printf("%-16s  %-20s  %-12s  %s\n", text_of(row, "service", ""), buf_text(&shown),
	       text_of(row, "source", ""), buf_text(&list));
}

static int run_ls(int argc, char **argv)
{
	struct list_call call = {0};
	struct words words;
	struct err err;
	enum options_result result = options_parse(&ls_options, argc, argv, &call, &words, &err);
	json_t *list, *row;
	size_t i;

	if (result == OPTIONS_HELP)
		return 0;
	if (result == OPTIONS_OK && words.count > 0) {
		err_set(&err, 0, "sbx secret ls takes no names");
		result = OPTIONS_BAD;
	}
	if (result == OPTIONS_BAD)
		return command_misuse("secret ls", &err);
	list = json_array();
	if (collect(list, &err) < 0) {
		json_decref(list);
		return command_fail(&err);
	}
	if (call.is_json) {
		json_dumpf(list, stdout, JSON_INDENT(2));
		putchar('\n');
	} else {
		printf("%-16s  %-20s  %-12s  %s\n", "SERVICE", "SANDBOXES", "KEPT IN", "HOSTS");
		json_array_foreach(list, i, row) print_row(row);
	}
	json_decref(list);
	return 0;
}

/* ---- rm ---- */

/* What has lost its service, as when a file was removed by hand, goes by its own name. */
static void name_of(const struct paths *paths, const char *word, char ret[SECRET_SERVICE_MAX_BYTES + 1])
{
	static struct services services;
	const struct service *service;
	struct err err;

	snprintf(ret, SECRET_SERVICE_MAX_BYTES + 1, "%s", word);
	if (services_load(paths, &services, &err) == 0 && services_find(&services, word, &service, NULL) == 0)
		strcpy(ret, service->name);
	services_done(&services);
}

static int run_rm(int argc, char **argv)
{
	struct list_call call = {0};
	struct paths paths;
	struct words words;
	struct err err = {.text = ""};
	enum options_result result = options_parse(&rm_options, argc, argv, &call, &words, &err);
	int status = 0;

	if (result == OPTIONS_HELP)
		return 0;
	if (result == OPTIONS_OK && words.count == 0) {
		err_set(&err, 0, "sbx secret rm takes the names of services");
		result = OPTIONS_BAD;
	}
	if (result == OPTIONS_BAD)
		return command_misuse("secret rm", &err);
	if (paths_open(&paths, &err) < 0)
		return command_fail(&err);
	for (int i = 0; i < words.count; i++) {
		char service[SECRET_SERVICE_MAX_BYTES + 1];

		name_of(&paths, words.items[i], service);
		if (secret_remove(&paths, service, call.sandbox ? call.sandbox : "", &err) < 0)
			status = command_fail(&err);
	}
	return status;
}

const struct secret_verb secret_ls = {
	.name = "ls", .summary = "list the secrets, not their values", .run = run_ls};
const struct secret_verb secret_rm = {.name = "rm", .summary = "remove secrets", .run = run_rm};
