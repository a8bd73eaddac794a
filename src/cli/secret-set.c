/* set, set-custom, import: what becomes a secret, and from where. No value is ever an argument. */
#include "cli/command.h"
#include "cli/options.h"
#include "cli/secret.h"
#include "store/index.h"
#include "store/services.h"

#include "base/log.h"
#include "base/text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { REFRESH_MAX_S = 30 * 24 * 60 * 60, NUMBER_BYTES = 16 };

struct set_call {
	const char *sandbox, *command, *refresh;
	const char *header, *placeholder; /* of set-custom, with the next two */
	struct option_list hosts, names;
	const char *service; /* its name, where it is not made of a variable or host */
};

#define SANDBOX_ROW                                                                    \
	{                                                                              \
		"sandbox", 0, OPTION_TEXT, offsetof(struct set_call, sandbox), "NAME", \
			"for this sandbox only"                                        \
	}
#define COMMAND_ROW                                                                       \
	{                                                                                 \
		"command", 0, OPTION_TEXT, offsetof(struct set_call, command), "COMMAND", \
			"a command that prints the secret, run by sh at each start"       \
	}
#define REFRESH_ROW                                                                    \
	{                                                                              \
		"refresh", 0, OPTION_TEXT, offsetof(struct set_call, refresh), "TIME", \
			"run the command again after so long: 90s, 55m, 12h"           \
	}

static const struct option_row set_rows[] = {SANDBOX_ROW, COMMAND_ROW, REFRESH_ROW, {0}};

static const struct option_row custom_rows[] = {
	{"host", 0, OPTION_LIST, offsetof(struct set_call, hosts), "HOST",
	 "a host that gets it: NAME, *.NAME, **.NAME, with :PORT or 443"},
	{"header", 0, OPTION_TEXT, offsetof(struct set_call, header), "'NAME: FORMAT'",
	 "the header; %s is where the secret goes"},
	{"env", 0, OPTION_LIST, offsetof(struct set_call, names), "VARIABLE",
	 "a variable that holds the placeholder in sandboxes"},
	{"placeholder", 0, OPTION_TEXT, offsetof(struct set_call, placeholder), "FORM",
	 "what it looks like there; %s is random"},
	{"name", 0, OPTION_TEXT, offsetof(struct set_call, service), "NAME", "what the secret is called"},
	SANDBOX_ROW,
	COMMAND_ROW,
	REFRESH_ROW,
	{0},
};

static const struct option_row import_rows[] = {SANDBOX_ROW, {0}};

static const struct options set_options = {
	.rows = set_rows,
	.usage = "sbx secret set [OPTIONS] SERVICE|VARIABLE",
	.text = "Keeps a secret, which is asked for without echo or read from standard input. Sandboxes get "
		"a "
		"placeholder;\n"
		"requests to the service's hosts get the secret on their way out.",
};

static const struct options custom_options = {
	.rows = custom_rows,
	.usage = "sbx secret set-custom [OPTIONS] --host HOST --header 'NAME: FORMAT'",
	.text = "Keeps a secret for hosts of your own, such as --host api.acme.dev --header 'X-Acme-Key: "
		"%s'\n"
		"--env ACME_KEY. What follows 'Basic ' in a format is encoded as HTTP wants it.",
};

static const struct options import_options = {
	.rows = import_rows,
	.usage = "sbx secret import [OPTIONS] [SERVICE|VARIABLE]...",
	.text = "Keeps the secrets that are in this shell's environment; without names those that are not "
		"kept "
		"yet.",
};

/* ---- words ---- */

static int parse_refresh(const char *text, unsigned *ret, struct err *err)
{
	static const struct {
		char letter;
		unsigned seconds;
	} units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};
	size_t len = text ? strlen(text) : 0;
	char number[NUMBER_BYTES];
	uint64_t count;

	*ret = 0;
	if (!text)
		return 0;
	for (size_t i = 0; len > 1 && len < NUMBER_BYTES && i < array_len(units); i++) {
		if (text[len - 1] != units[i].letter)
			continue;
		snprintf(number, sizeof(number), "%.*s", (int)len - 1, text);
		if (text_parse_number(number, 1, REFRESH_MAX_S / units[i].seconds, &count) < 0)
			break;
		*ret = (unsigned)count * units[i].seconds;
		return 0;
	}
	return err_set(err, -EINVAL, "--refresh takes a time such as 90s, 55m or 12h, 30d at most, not '%s'",
		       text);
}

static int check_call(const struct set_call *call, struct err *err)
{
	if (call->refresh && !call->command)
		return err_set(err, -EINVAL,
			       "--refresh goes with --command: nothing else can be asked again");
	if (call->command && (*call->command == '\0' || strlen(call->command) > INDEX_COMMAND_MAX_BYTES))
		return err_set(err, -EINVAL, "--command takes a command of at most %d bytes",
			       INDEX_COMMAND_MAX_BYTES);
	return 0;
}

/* Whatever is an argument can be read by every process of this machine, and stays in the shell's history. */
static int check_words(const struct words *words, struct err *err)
{
	if (words->count == 0)
		return err_set(err, -EINVAL, "sbx secret set takes the name of a service");
	if (words->count > 1 || strchr(words->items[0], '='))
		return err_set(
			err, -EINVAL,
			"a secret is not given as an argument, where others can see it: it is asked for, or "
			"read from standard input");
	return 0;
}

static int find_service(const struct paths *paths, const char *word, char ret[SECRET_SERVICE_MAX_BYTES + 1],
			struct err *err)
{
	static struct services services;
	const struct service *service;
	int r = services_load(paths, &services, err);

	r = r < 0 ? r : services_find(&services, word, &service, err);
	if (r == 0)
		strcpy(ret, service->name);
	services_done(&services);
	return r;
}

/* ---- set ---- */

static int keep(const struct paths *paths, const struct set_call *call, const char *service,
		const char *variable, struct err *err)
{
	struct secret_wish wish = {.service = service,
				   .sandbox = call->sandbox ? call->sandbox : "",
				   .command = call->command,
				   .variable = variable};
	int r = parse_refresh(call->refresh, &wish.refresh_s, err);

	r = r < 0 ? r : secret_check_sandbox(paths, call->sandbox, err);
	return r < 0 ? r : secret_keep(paths, &wish, err);
}

/* What sbx-store could not do it has said itself. */
static int fail(const struct err *err)
{
	return *err->text ? command_fail(err) : EXIT_FAILED;
}

static int run_set(int argc, char **argv)
{
	static struct set_call call;
	char service[SECRET_SERVICE_MAX_BYTES + 1];
	struct err err = {.text = ""};
	struct paths paths;
	struct words words;
	unsigned refresh_s;
	enum options_result result = options_parse(&set_options, argc, argv, &call, &words, &err);

	if (result == OPTIONS_HELP)
		return 0;
	if (result == OPTIONS_BAD || check_words(&words, &err) < 0 || check_call(&call, &err) < 0 ||
	    parse_refresh(call.refresh, &refresh_s, &err) < 0)
		return command_misuse("secret set", &err);
	if (paths_open(&paths, &err) < 0 || find_service(&paths, words.items[0], service, &err) < 0 ||
	    keep(&paths, &call, service, NULL, &err) < 0)
		return fail(&err);
	return 0;
}

/* ---- set-custom ---- */

static char name_letter(char letter)
{
	if (letter >= 'A' && letter <= 'Z')
		return (char)(letter | 0x20);
	if ((letter >= 'a' && letter <= 'z') || (letter >= '0' && letter <= '9'))
		return letter;
	return '-';
}

/* Its own, or made of the variable, or of the host: ACME_KEY is acme-key. */
static void make_name(const struct set_call *call, char ret[SECRET_SERVICE_MAX_BYTES + 1])
{
	const char *from = call->service;
	size_t len = 0;

	if (!from)
		from = call->names.count > 0 ? call->names.items[0] : call->hosts.items[0];
	for (; *from && len < SECRET_SERVICE_MAX_BYTES; from++)
		if (len > 0 || name_letter(*from) != '-')
			ret[len++] = name_letter(*from);
	ret[len] = '\0';
	if (len == 0)
		strcpy(ret, "custom");
}

/* A word is one line of the file: a newline in it would begin the next. */
static int add_line(struct buf *text, const char *key, const char *value, struct err *err)
{
	if (!text_is_line(value))
		return err_set(err, -EINVAL, "--%s holds what cannot be in a line", key);
	return buf_printf(text, "%s %s\n", key, value) < 0
		       ? err_errno(err, -ENOMEM, "cannot describe the service")
		       : 0;
}

static int describe(const struct set_call *call, const char *name, struct buf *text, struct err *err)
{
	int r = add_line(text, "service", name, err);

	for (size_t i = 0; r == 0 && i < call->names.count; i++)
		r = add_line(text, "env", call->names.items[i], err);
	r = r < 0 ? r : add_line(text, "header", call->header, err);
	for (size_t i = 0; r == 0 && i < call->hosts.count; i++)
		r = add_line(text, "host", call->hosts.items[i], err);
	if (r == 0 && call->placeholder)
		r = add_line(text, "placeholder", call->placeholder, err);
	return r;
}

static int add_service(const struct paths *paths, const struct set_call *call,
		       char ret[SECRET_SERVICE_MAX_BYTES + 1], struct err *err)
{
	static struct services services;
	auto_buf struct buf text = {0};
	struct secret_reader reader;
	struct secret_binding binding;
	int r;

	make_name(call, ret);
	r = describe(call, ret, &text, err);
	reader = (struct secret_reader){.text = buf_slice(&text)};
	if (r == 0 && secret_next(&reader, &binding, err) < 0)
		return -EINVAL;
	r = r < 0 ? r : services_load(paths, &services, err);
	r = r < 0 ? r : services_add(paths, &services, &binding, err);
	services_done(&services);
	return r;
}

static int check_custom(const struct set_call *call, const struct words *words, struct err *err)
{
	if (words->count > 0)
		return err_set(err, -EINVAL,
			       "sbx secret set-custom takes options only; the secret is asked for");
	if (call->hosts.count == 0 || !call->header)
		return err_set(err, -EINVAL,
			       "sbx secret set-custom needs --host and --header, such as --host api.acme.dev "
			       "--header 'X-Acme-Key: %%s'");
	if (call->service && !secret_is_service(slice_text(call->service)))
		return err_set(err, -EINVAL,
			       "--name takes up to %d lower-case letters, digits and '-', not '%s'",
			       SECRET_SERVICE_MAX_BYTES, call->service);
	return check_call(call, err);
}

static int run_set_custom(int argc, char **argv)
{
	static struct set_call call;
	char service[SECRET_SERVICE_MAX_BYTES + 1];
	struct err err = {.text = ""};
	struct paths paths;
	struct words words;
	unsigned refresh_s;
	enum options_result result = options_parse(&custom_options, argc, argv, &call, &words, &err);

	if (result == OPTIONS_HELP)
		return 0;
	if (result == OPTIONS_BAD || check_custom(&call, &words, &err) < 0 ||
	    parse_refresh(call.refresh, &refresh_s, &err) < 0)
		return command_misuse("secret set-custom", &err);
	if (paths_open(&paths, &err) < 0 || add_service(&paths, &call, service, &err) < 0 ||
	    keep(&paths, &call, service, NULL, &err) < 0)
		return fail(&err);
	return 0;
}

/* ---- import ---- */

static bool find_variable(const struct secret_binding *binding, char ret[SECRET_HEADER_MAX_BYTES + 1])
{
	for (size_t i = 0; i < binding->n_names; i++) {
		const char *text;

		snprintf(ret, SECRET_HEADER_MAX_BYTES + 1, "%.*s", (int)binding->names[i].len,
			 binding->names[i].ptr);
		text = getenv(ret);
		if (text && *text)
			return true;
	}
	return false;
}

static int import_one(const struct paths *paths, const struct set_call *call, const struct service *service,
		      struct err *err)
{
	char variable[SECRET_HEADER_MAX_BYTES + 1];
	int r;

	if (!find_variable(&service->binding, variable))
		return err_set(err, -ENOENT, "no variable of '%s' is in the environment", service->name);
	r = keep(paths, call, service->name, variable, err);
	if (r == 0)
		printf("%s from %s\n", service->name, variable);
	return r;
}

static int import_all(const struct paths *paths, const struct set_call *call, const struct services *services,
		      struct err *err)
{
	static struct index index;
	char variable[SECRET_HEADER_MAX_BYTES + 1];
	size_t count = 0;
	int r = index_load(paths, &index, err);

	for (size_t i = 0; r == 0 && i < services->count; i++) {
		const struct service *service = &services->items[i];

		if (!find_variable(&service->binding, variable) ||
		    index_find(&index, service->name, call->sandbox ? call->sandbox : ""))
			continue;
		r = import_one(paths, call, service, err);
		count++;
	}
	index_done(&index);
	if (r == 0 && count == 0)
		fputs("There is nothing in the environment that is not kept already.\n", stderr);
	return r;
}

static int import(const struct set_call *call, const struct words *words, struct err *err)
{
	static struct services services;
	struct paths paths;
	int r = paths_open(&paths, err);

	r = r < 0 ? r : services_load(&paths, &services, err);
	if (r == 0 && words->count == 0)
		r = import_all(&paths, call, &services, err);
	for (int i = 0; r == 0 && i < words->count; i++) {
		const struct service *service;

		r = services_find(&services, words->items[i], &service, err);
		r = r < 0 ? r : import_one(&paths, call, service, err);
	}
	services_done(&services);
	return r;
}

static int run_import(int argc, char **argv)
{
	static struct set_call call;
	struct err err = {.text = ""};
	struct words words;
	enum options_result result = options_parse(&import_options, argc, argv, &call, &words, &err);

	if (result == OPTIONS_HELP)
		return 0;
	if (result == OPTIONS_BAD)
		return command_misuse("secret import", &err);
	return import(&call, &words, &err) < 0 ? fail(&err) : 0;
}

const struct secret_verb secret_set_verb = {
	.name = "set", .summary = "keep the secret of a service", .run = run_set};
const struct secret_verb secret_set_custom = {
	.name = "set-custom", .summary = "keep a secret for hosts of your own", .run = run_set_custom};
const struct secret_verb secret_import = {
	.name = "import", .summary = "keep what is in this shell's environment", .run = run_import};
