/* What this machine offers and what is missing, each with what to do about it. */
#include "cli/client.h"
#include "cli/command.h"
#include "cli/options.h"
#include "cli/secret.h"
#include "engine/engine.h"
#include "image/template.h"
#include "supervisor/sandbox.h"

#include "base/file.h"
#include "base/jail.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/utsname.h>

enum { ANSWER_LIMIT_MS = 500, ROOM_WANTED_MIB = 4096 };

enum verdict { FINE, WEAK, BAD };

static const char *const verdict_names[] = {[FINE] = "ok", [WEAK] = "warning", [BAD] = "error"};

struct diagnose_call {
	bool is_json;
};

static const struct option_row rows[] = {
	{"json", 0, OPTION_FLAG, offsetof(struct diagnose_call, is_json), NULL, "print JSON"},
	{0},
};

static const struct options options = {
	.rows = rows,
	.usage = "sbx diagnose [OPTIONS]",
	.text = "Checks what sandboxes need on this machine. The exit status is 1 when something is missing.",
};

/* An array of {check, status, detail}. */
static void say(json_t *list, const char *check, enum verdict verdict, const char *detail)
{
	auto_buf struct buf shown = {0};

	(void)text_printable(&shown, slice_text(detail), false);
	json_array_append_new(list, json_pack("{s:s, s:s, s:s}", "check", check, "status",
					      verdict_names[verdict], "detail", buf_text(&shown)));
}

static void check_host(json_t *list)
{
	struct utsname host;
	char text[512] = "unknown";

	if (uname(&host) == 0)
		snprintf(text, sizeof(text), "%s %s %s, %ld processors", host.sysname, host.release,
			 host.machine, sysconf(_SC_NPROCESSORS_ONLN));
	say(list, "sbx", FINE, "version " SBX_VERSION);
	say(list, "host", FINE, text);
}

static void check_engine(json_t *list, const struct paths *paths)
{
	char version[ENGINE_TEXT_BYTES];
	struct engine_probe probe;
	struct err err;

	if (engine_version(paths, version, &err) < 0)
		say(list, "engine", BAD, err.text);
	else
		say(list, "engine", FINE, version);
	if (engine_probe(paths, &probe, &err) < 0) {
		say(list, "virtualisation", BAD, err.text);
	} else if (probe.verdict == ENGINE_KVM_GOOD) {
		say(list, "virtualisation", FINE, probe.text);
	} else {
		auto_buf struct buf text = {0};

		(void)buf_printf(&text, "%s; software emulation is used, which is slower", probe.text);
		say(list, "virtualisation", WEAK, buf_text(&text));
	}
}

static void check_jail(json_t *list)
{
	struct jail_host host[JAIL_STEPS];
	char check[64];

	jail_host(host);
	for (int i = 0; i < JAIL_STEPS; i++) {
		snprintf(check, sizeof(check), "jail: %s", host[i].name);
		say(list, check, host[i].is_available ? FINE : WEAK, host[i].detail);
	}
}

static void check_program(json_t *list, const char *program, const char *package)
{
	static const char *const places[] = {"/usr/bin", "/usr/sbin", "/bin", "/sbin"};
	char path[128], text[128];

	for (size_t i = 0; i < array_len(places); i++) {
		snprintf(path, sizeof(path), "%s/%s", places[i], program);
		if (access(path, X_OK) == 0) {
			say(list, program, FINE, path);
			return;
		}
	}
	snprintf(text, sizeof(text), "not installed: install the package %s", package);
	say(list, program, BAD, text);
}

static void check_state(json_t *list, const struct paths *paths)
{
	auto_template struct template template = TEMPLATE_NONE;
	autofd int data = file_open_dir(AT_FDCWD, paths->data);
	char size[TEXT_SHORT_BYTES], text[PATH_ROOM_BYTES + 64];
	struct err err;
	uint64_t left = 0;
	int r = template_open(paths, "base", &template, &err);

	if (data >= 0 && file_space_left(data, &left) == 0) {
		text_format_bytes(left, size);
		snprintf(text, sizeof(text), "%s free in %s", size, paths->data);
		say(list, "space", left >> 20 < ROOM_WANTED_MIB ? WEAK : FINE, text);
	}
	if (r == 0) {
		snprintf(text, sizeof(text), "base, kernel %s, %s", template.kernel_version, template.id);
		say(list, "template", FINE, text);
	} else {
		say(list, "template", WEAK, err.text);
	}
}

static void check_secrets(json_t *list)
{
	static const char *const words[] = {"describe", NULL};
	auto_buf struct buf answer = {0}, why = {0};
	struct err err;
	int r = secret_store_ask(words, &answer, &why, &err);
	const char *text = buf_text(&why);

	if (r == 0)
		say(list, "secrets", FINE, buf_text(&answer));
	else
		say(list, "secrets", WEAK,
		    r == -EREMOTEIO ? text + (strncmp(text, "sbx: ", 5) == 0 ? 5 : 0) : err.text);
}

static void check_sandboxes(json_t *list, const struct paths *paths)
{
	char **names = NULL;
	struct err err;

	if (sandbox_names(paths, SHELF_SANDBOXES, &names, &err) < 0) {
		say(list, "sandboxes", BAD, err.text);
		return;
	}
	for (char **name = names; *name; name++) {
		struct client_status status = {.name = *name};
		char check[SANDBOX_NAME_MAX + 16];

		client_statuses(paths, &status, 1, ANSWER_LIMIT_MS);
		snprintf(check, sizeof(check), "sandbox %s", *name);
		say(list, check, status.state == CLIENT_NOT_ANSWERING ? WEAK : FINE,
		    client_state_names[status.state]);
		json_decref(status.reply);
	}
	sandbox_names_free(names);
}

static bool print(const json_t *list, bool is_json)
{
	bool is_bad = false;
	const json_t *row;
	size_t i;

	json_array_foreach((json_t *)(uintptr_t)list, i, row)
	{
		const char *status = json_string_value(json_object_get(row, "status"));

		is_bad = is_bad || strcmp(status, verdict_names[BAD]) == 0;
		if (!is_json)
			printf("%-8s %-18s %s\n", status, json_string_value(json_object_get(row, "check")),
			       json_string_value(json_object_get(row, "detail")));
	}
	if (is_json && json_dumpf(list, stdout, JSON_INDENT(2)) == 0)
		putchar('\n');
	return is_bad;
}

static int run(int argc, char **argv)
{
	struct diagnose_call call = {0};
	struct paths paths;
	struct words words;
	struct err err;
	enum options_result result = options_parse(&options, argc, argv, &call, &words, &err);
	json_t *list;
	bool is_bad;

	if (result == OPTIONS_HELP)
		return 0;
	if (result == OPTIONS_BAD)
		return command_misuse("diagnose", &err);
	if (paths_open(&paths, &err) < 0)
		return command_fail(&err);
	list = json_array();
	check_host(list);
	check_engine(list, &paths);
	check_jail(list);
	check_program(list, "mmdebstrap", "mmdebstrap");
	check_program(list, "mke2fs", "e2fsprogs");
	if (geteuid() != 0)
		check_program(list, "newuidmap", "uidmap");
	check_state(list, &paths);
	check_secrets(list);
	check_sandboxes(list, &paths);
	is_bad = print(list, call.is_json);
	json_decref(list);
	return is_bad ? EXIT_FAILED : 0;
}

const struct command cmd_diagnose = {
	.name = "diagnose", .summary = "check what this machine offers", .run = run};
