#include "cli/install.h"

#include "base/fd.h"
#include "base/file.h"
#include "base/log.h"
#include "base/text.h"
#include "cli/create.h"
#include "cli/exec.h"
#include "cli/journal-read.h"
#include "cli/policy-files.h"
#include "cli/registry.h"
#include "cli/start.h"
#include "cli/template.h"
#include "image/layer.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { SCRIPT_MAX_BYTES = 64 << 10, LOG_MAX_BYTES = 16 << 20, LINE_BYTES = 300 };

static const uint64_t image_max_bytes = 8ULL << 30;

struct install {
	const struct paths *paths;
	const struct agent *agent;
	const char *name;
	struct registry registry;
	char script[SCRIPT_MAX_BYTES + 1];
	char log[PATH_ROOM_BYTES + 96];
	int log_fd; /* owned */
	int bond;   /* owned: the sandbox ends with it */
	struct sandbox sandbox;
};

static int read_script(char ret[SCRIPT_MAX_BYTES + 1], struct err *err)
{
	auto_buf struct buf text = {0};
	char path[PATH_ROOM_BYTES];
	int r = paths_program("sbx-layer.sh", path, err);

	if (r < 0)
		return r;
	r = file_read(AT_FDCWD, path, SCRIPT_MAX_BYTES, &text);
	if (r < 0)
		return err_errno(err, r, "cannot read '%s'", path);
	snprintf(ret, SCRIPT_MAX_BYTES + 1, "%s", buf_text(&text));
	return 0;
}

static int join(struct buf *into, const struct agent_words *words)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < words->count; i++)
		r = buf_printf(into, "%s%s", i > 0 ? " " : "", words->items[i]);
	return r;
}

int install_recipe(const struct agent *agent, char ret[HASH_TEXT_BYTES], struct err *err)
{
	autofree char *script = calloc(1, SCRIPT_MAX_BYTES + 1);
	auto_buf struct buf all = {0};
	int r = script ? read_script(script, err) : err_errno(err, -ENOMEM, "cannot read the recipe");

	if (r < 0)
		return r;
	r = join(&all, &agent->npm);
	for (size_t i = 0; r == 0 && i < agent->n_files; i++)
		r = buf_printf(&all, "\n%s\n%s", agent->files[i].path, agent->files[i].content);
	r = r < 0 ? r : buf_printf(&all, "\n%s", script);
	r = r < 0 ? r : hash_bytes(buf_slice(&all), ret);
	return r < 0 ? err_errno(err, r, "cannot name the recipe") : 0;
}

/* ---- the sandbox ---- */

/* What its install needs, and nothing that other sandboxes may not reach anyhow. */
static int write_rules(const struct install *install, struct err *err)
{
	const struct registry *registry = &install->registry;
	auto_policy_file struct policy_file file = POLICY_FILE_NONE;
	auto_policy struct policy checked = {0};
	auto_buf struct buf text = {0};
	char target[HOST_PORT_TEXT_BYTES];
	int r = policy_file_open(install->paths, install->sandbox.name, &file, err);

	for (const char *const *host = install->agent->install_hosts.items; r == 0 && *host; host++)
		r = buf_printf(&text, "allow %s\n", *host);
	if (r == 0 && registry->url[0]) {
		/* Whoever has configured it means that address, wherever it is. */
		host_format(&registry->host, registry->port, target);
		r = buf_printf(&text, "allow %s%s\n", target, registry->host.is_address ? "" : " private");
	}
	r = r < 0 ? r : policy_file_parse(&file, buf_slice(&text), &checked, err);
	return r < 0 ? r : policy_file_write(&file, buf_slice(&text), err);
}

static int remove_sandbox(const struct install *install, const char *name, struct err *err)
{
	int r = start_kill(install->paths, name, err);

	return r < 0 ? r : sandbox_remove(install->paths, SHELF_SANDBOXES, name, err);
}

/* Of a build that was killed. One of that name that is somebody's is not touched. */
static int remove_leftover(const struct install *install, const char *name, const char *mark, struct err *err)
{
	auto_sandbox struct sandbox sandbox = {0};
	int r = sandbox_load(install->paths, SHELF_SANDBOXES, name, &sandbox, err);

	if (r < 0)
		return r == -ENOENT ? 0 : r;
	for (char **item = sandbox.env; item && *item; item++)
		if (strcmp(*item, mark) == 0)
			return remove_sandbox(install, name, err);
	return err_set(err, -EEXIST,
		       "building the template '%s' takes a sandbox '%s', and there is one of yours",
		       install->name, name);
}

static int open_sandbox(struct install *install, const char *name, struct err *err)
{
	static struct create_options options; /* lists are too long for a stack */
	auto_wish struct wish wish = {0};
	char mark[SANDBOX_NAME_MAX + 16];
	int r;

	snprintf(mark, sizeof(mark), "SBX_TEMPLATE=%.50s", install->name);
	options = (struct create_options){
		.name = name, .env = {.items = {mark}, .count = 1}, .has_no_mount = true};
	r = remove_leftover(install, name, mark, err);
	r = r < 0 ? r : create_wish(install->paths, &options, NULL, 0, &wish, err);
	r = r < 0 ? r : create_sandbox(install->paths, "shell", &options, &wish, &install->sandbox, err);
	r = r < 0 ? r : write_rules(install, err);
	return r < 0 ? r : start_bound(install->paths, &install->sandbox, &install->bond, err);
}

/* ---- what runs in it ---- */

static int open_log(struct install *install, struct err *err)
{
	snprintf(install->log, sizeof(install->log), "%s/build-%.64s.log", install->paths->cache,
		 install->name);
	install->log_fd = open(install->log, O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	return install->log_fd < 0 ? err_errno(err, -errno, "cannot write '%s'", install->log) : 0;
}

/* npm says what failed in several lines, of which the first are codes. */
static const char *npm_reason(const char *line)
{
	static const char *const marks[] = {"npm ERR! ", "npm error "};
	static const char *const codes[] = {"code ", "syscall ", "errno ", "path ", "dest "};
	const char *reason = NULL;

	for (size_t i = 0; i < array_len(marks); i++)
		if (strncmp(line, marks[i], strlen(marks[i])) == 0)
			reason = line + strlen(marks[i]);
	for (size_t i = 0; reason && i < array_len(codes); i++)
		if (strncmp(reason, codes[i], strlen(codes[i])) == 0)
			reason = NULL;
	return reason;
}

/* npm's first reason, else the last line of all. */
static void find_reason(const struct install *install, char ret[LINE_BYTES])
{
	auto_buf struct buf log = {0};
	const char *reason = NULL;
	char *save = NULL;

	ret[0] = '\0';
	if (lseek(install->log_fd, 0, SEEK_SET) < 0 ||
	    fd_read_all(install->log_fd, LOG_MAX_BYTES, &log) < 0 || log.len == 0)
		return;
	for (const char *line = strtok_r(log.data + log.start, "\n", &save); line && !reason;
	     line = strtok_r(NULL, "\n", &save)) {
		reason = npm_reason(line);
		snprintf(ret, LINE_BYTES, "%s", reason ? reason : line);
	}
}

/* Keeps the last connection that the policy has denied. */
static bool note_denial(void *owner, const char *sandbox, struct slice line)
{
	json_t *record = json_loadb(line.ptr, line.len, 0, NULL);
	const char *decision = "", *host = "", *reason = "", *address = "";
	char *into = owner;
	int port = 0;

	(void)sandbox;
	if (json_unpack(record, "{s:s, s:s, s:i, s?s, s?s}", "decision", &decision, "host", &host, "port",
			&port, "reason", &reason, "address", &address) == 0 &&
	    strcmp(decision, "deny") == 0) {
		snprintf(into, LINE_BYTES, "%s:%d was denied%s%s", host, port, *reason ? ": " : "", reason);
		if (*address)
			snprintf(into + strlen(into), LINE_BYTES - strlen(into),
				 strchr(address, ':') ? " ('sbx policy allow network [%s]:%d' would)"
						      : " ('sbx policy allow network %s:%d' would)",
				 address, port);
	}
	json_decref(record);
	return true;
}

static int explain(const struct install *install, int status, struct err *err)
{
	auto_buf struct buf shown = {0};
	char reason[LINE_BYTES], denial[LINE_BYTES] = "";

	find_reason(install, reason);
	(void)journal_read(install->paths, install->sandbox.name, note_denial, denial, NULL);
	(void)text_printable(&shown, slice_text(denial[0] ? denial : reason), false);
	return err_set(err, -EIO, "installing '%s' failed (status %d)%s%s; the whole log is '%s'",
		       install->name, status, shown.len > 0 ? ": " : "", buf_text(&shown), install->log);
}

static int run_script(const struct install *install, int image, struct err *err)
{
	const char *argv[6 + 2 * AGENT_FILES_MAX + 1] = {"sh", "-c", install->script, "layer.sh",
							 install->registry.url};
	const struct exec exec = {.sandbox = install->sandbox.name,
				  .argv = argv,
				  .user = "root",
				  .dir = "/",
				  .output = image,
				  .errors = install->log_fd,
				  .output_max_bytes = image_max_bytes};
	auto_buf struct buf packages = {0};
	int status = 0, r = join(&packages, &install->agent->npm);
	size_t count = 5;

	if (r < 0)
		return err_errno(err, r, "cannot say what to install");
	argv[count++] = buf_text(&packages);
	for (size_t i = 0; i < install->agent->n_files; i++) {
		argv[count++] = install->agent->files[i].path;
		argv[count++] = install->agent->files[i].content;
	}
	r = exec_run(install->paths, &exec, &status, err);
	if (r == -EFBIG)
		return err_set(err, r, "what '%s' installs is larger than a template may be", install->name);
	if (r == 0 && (status == 128 + SIGINT || status == 128 + SIGTERM || status == 128 + SIGHUP))
		return err_set(err, -ECANCELED, "installing '%s' was interrupted", install->name);
	return r < 0 || status == 0 ? r : explain(install, status, err);
}

static int fill(struct install *install, int image, struct err *err)
{
	char name[SANDBOX_NAME_MAX + 1];
	struct err late;
	int r = open_log(install, err);

	snprintf(name, sizeof(name), "template-%.50s", install->name);
	r = r < 0 ? r : open_sandbox(install, name, err);
	r = r < 0 ? r : run_script(install, image, err);
	/* With it goes all that the install has left elsewhere. */
	if (install->sandbox.agent && remove_sandbox(install, name, &late) < 0)
		log_line("%s", late.text);
	sandbox_done(&install->sandbox);
	if (install->bond >= 0)
		close(steal_fd(&install->bond));
	if (install->log_fd >= 0)
		close(steal_fd(&install->log_fd));
	return r;
}

/* ---- the template ---- */

static ino_t folder_number(const struct layer *layer)
{
	struct stat info;

	return fstatat(layer->folder, layer->name, &info, AT_SYMLINK_NOFOLLOW) < 0 ? 0 : info.st_ino;
}

/* 1 where somebody else has built it while we waited. */
static int lock(const struct paths *paths, const char *name, struct layer *layer, struct err *err)
{
	int r = layer_open(paths, name, layer, err);
	ino_t before = r < 0 ? 0 : folder_number(layer);

	r = r < 0 ? r : layer_lock(layer, err);
	return r < 0 ? r : folder_number(layer) != before;
}

static int make(struct install *install, struct err *err)
{
	auto_template struct template base = TEMPLATE_NONE;
	auto_layer struct layer layer = LAYER_NONE;
	char recipe[HASH_TEXT_BYTES];
	int r = lock(install->paths, install->name, &layer, err);

	if (r != 0)
		return r < 0 ? r : 0;
	r = template_obtain(install->paths, TEMPLATE_BASE_NAME, &base, err);
	r = r < 0 ? r : registry_find(&install->registry, err);
	r = r < 0 ? r : read_script(install->script, err);
	r = r < 0 ? r : install_recipe(install->agent, recipe, err);
	r = r < 0 ? r : layer_begin(&layer, err);
	r = r < 0 ? r : fill(install, layer.image, err);
	return r < 0 ? r : layer_publish(&layer, base.id, recipe, err);
}

int install_make(const struct paths *paths, const char *agent_name, struct err *err)
{
	autofree struct agent *agent = calloc(1, sizeof(*agent));
	autofree struct install *install = calloc(1, sizeof(*install));
	int r;

	if (!agent || !install)
		return err_errno(err, -ENOMEM, "cannot build the template");
	r = agent_load(agent_name, agent, err);
	if (r < 0)
		return r;
	if (agent->npm.count == 0)
		return err_set(err, -EINVAL, "the agent '%s' runs in the template '" TEMPLATE_BASE_NAME "'",
			       agent_name);
	install->paths = paths;
	install->agent = agent;
	install->name = agent_name;
	install->log_fd = install->bond = -1;
	return make(install, err);
}
