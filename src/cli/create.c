#include "cli/create.h"

#include "base/log.h"
#include "base/text.h"
#include "cli/env.h"
#include "cli/probe.h"
#include "cli/start-state.h"
#include "cli/template.h"
#include "image/template.h"
#include "supervisor/copy.h"
#include "wire/guard.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <sys/sysinfo.h>

enum {
	CPUS_MAX = 64,
	CPUS_DEFAULT_MAX = 8,
	MEMORY_MIN_MIB = 512,
	MEMORY_DEFAULT_MAX_MIB = 4096,
	DISK_MIN_MIB = 1024,
	DISK_DEFAULT_MIB = 32768,
	TRIES_MAX = 100,
};

static uint64_t host_memory_mib(void)
{
	struct sysinfo info;

	if (sysinfo(&info) < 0)
		return 0;
	return (uint64_t)info.totalram * info.mem_unit >> 20;
}

/* Emulation runs all processors of a machine on one of the host's, so that more than one are no gain there.
 */
static int default_cpus(const struct paths *paths, unsigned *ret, struct err *err)
{
	long host = sysconf(_SC_NPROCESSORS_ONLN);
	struct engine_probe probe;
	int r = probe_and_say(paths, &probe, err);

	if (r < 0)
		return r;
	*ret = host > CPUS_DEFAULT_MAX ? CPUS_DEFAULT_MAX : (unsigned)host;
	if (probe.verdict != ENGINE_KVM_GOOD || host < 1)
		*ret = 1;
	return 0;
}

static int parse_cpus(const char *text, unsigned *ret, struct err *err)
{
	long host = sysconf(_SC_NPROCESSORS_ONLN);
	uint64_t count;

	if (!text)
		return 0;
	if (text_parse_number(text, 1, CPUS_MAX, &count) < 0)
		return err_set(err, -EINVAL, "--cpus takes a number from 1 to %d, not '%s'", CPUS_MAX, text);
	if (host > 0 && count > (uint64_t)host)
		return err_set(err, -ERANGE, "--cpus %s is more than the %ld processors of this machine",
			       text, host);
	*ret = (unsigned)count;
	return 0;
}

static int parse_memory(const char *text, uint64_t *ret, struct err *err)
{
	uint64_t host = host_memory_mib();

	if (!text) {
		*ret = host / 2 > MEMORY_DEFAULT_MAX_MIB ? MEMORY_DEFAULT_MAX_MIB : host / 2;
		if (*ret < MEMORY_MIN_MIB)
			*ret = MEMORY_MIN_MIB;
		return 0;
	}
	if (text_parse_mib(text, ret) == -EINVAL)
		return err_set(err, -EINVAL, "--memory takes a size such as 512m or 8g, not '%s'", text);
	if (*ret < MEMORY_MIN_MIB)
		return err_set(err, -ERANGE, "--memory %s is too little: a sandbox needs %dm", text,
			       MEMORY_MIN_MIB);
	if (*ret > host)
		return err_set(err, -ERANGE, "--memory %s is more than the %llu MiB that this machine has",
			       text, (unsigned long long)host);
	return 0;
}

static int parse_disk(const char *text, uint64_t *ret, struct err *err)
{
	*ret = DISK_DEFAULT_MIB;
	if (text && (text_parse_mib(text, ret) < 0 || *ret < DISK_MIN_MIB || *ret > 16ULL << 20))
		return err_set(err, -EINVAL, "--disk takes a size from 1g to 16t, not '%s'", text);
	return 0;
}

static int check_folders(const struct create_options *options, int n_folders, struct err *err)
{
	if (options->has_no_mount && (n_folders > 0 || options->mounts.count > 0))
		return err_set(err, -EINVAL, "--no-mount shares no folder, so none can be named with it");
	for (size_t i = 0; i < options->guards.count; i++) {
		const char *pattern = options->guards.items[i];

		if (!text_is_line(pattern) || !guard_is_pattern(slice_text(pattern)))
			return err_set(err, -EINVAL, "--allow-guarded takes a pattern of paths, not '%s'",
				       pattern);
	}
	return 0;
}

int create_check(const struct create_options *options, int n_folders, struct err *err)
{
	uint64_t size;
	unsigned cpus;
	int r = 0;

	if (options->name && !sandbox_name_ok(options->name))
		r = err_set(err, -EINVAL, "'%s' cannot be a name: " SANDBOX_NAME_RULE, options->name);
	r = r < 0 ? r : parse_cpus(options->cpus, &cpus, err);
	r = r < 0 ? r : parse_memory(options->memory, &size, err);
	r = r < 0 ? r : parse_disk(options->disk, &size, err);
	return r < 0 ? r : check_folders(options, n_folders, err);
}

int create_wish(const struct paths *paths, const struct create_options *options, char *const *words,
		int count, struct wish *ret, struct err *err)
{
	const struct wish_words all = {.folders = words,
				       .n_folders = (size_t)count,
				       .mounts = &options->mounts,
				       .allows_home = options->allows_home};

	return wish_open(paths, &all, ret, err);
}

static int refuse_late_options(const struct create_options *options, const struct sandbox *sandbox,
			       struct err *err)
{
	const char *late = options->cpus               ? "--cpus"
			   : options->memory           ? "--memory"
			   : options->disk             ? "--disk"
			   : options->guards.count > 0 ? "--allow-guarded"
						       : NULL;

	if (!late)
		return 0;
	return err_set(err, -EEXIST,
		       "sandbox '%s' exists and %s counts only when one is made: remove it first",
		       sandbox->name, late);
}

int create_check_same(const struct create_options *options, const struct wish *wish,
		      const struct sandbox *sandbox, struct err *err)
{
	int r = refuse_late_options(options, sandbox, err);

	r = r < 0 ? r : wish_check_had(wish, sandbox, err);
	for (size_t i = 0; r == 0 && options->has_no_mount && i < sandbox->n_shares; i++)
		if (!sandbox->shares[i].is_gone)
			r = err_set(err, -EEXIST, "sandbox '%s' has '%s': 'sbx umount %s %s' takes it away",
				    sandbox->name, sandbox->shares[i].source, sandbox->name,
				    sandbox->shares[i].source);
	return r;
}

/* AGENT-FOLDER with what a name may not have replaced. */
static void default_name(const char *agent, const char *folder, char ret[SANDBOX_NAME_MAX + 1])
{
	const char *base = strrchr(folder, '/');

	snprintf(ret, SANDBOX_NAME_MAX - 3, "%s-%s", agent, base && base[1] ? base + 1 : "root");
	for (char *at = ret; *at; at++)
		if (!isascii(*at) || (!isalnum((unsigned char)*at) && *at != '.'))
			*at = '-';
}

static int open_stage(const struct paths *paths, struct sandbox *sandbox, bool is_given, struct stage *ret,
		      struct err *err)
{
	char first[SANDBOX_NAME_MAX + 1];
	int r = stage_open(paths, SHELF_SANDBOXES, sandbox, ret, err);

	memcpy(first, sandbox->name, sizeof(first));
	for (int i = 2; r == -EEXIST && !is_given && i < TRIES_MAX; i++) {
		stage_done(ret);
		snprintf(sandbox->name, sizeof(sandbox->name), "%.59s-%d", first, i);
		r = stage_open(paths, SHELF_SANDBOXES, sandbox, ret, err);
	}
	return r;
}

/* What it starts from; where that cannot be had, an empty disk to boot from. Either needs the template. */
static int fill(const struct paths *paths, const struct sandbox *sandbox, const struct stage *stage,
		struct err *err)
{
	auto_template struct template template = TEMPLATE_NONE;
	char start[START_STATE_NAME_BYTES];
	int r = template_obtain(paths, sandbox->template, &template, err);

	if (r < 0)
		return r;
	r = start_state_obtain(paths, sandbox, start, err);
	r = r < 0 ? r : copy_still(paths, SHELF_STARTS, start, stage, err);
	if (r == 0 || r == -ENOSPC)
		return r;
	log_line("%s; '%s' boots instead", err->text, sandbox->name);
	stage_empty(stage);
	return stage_make_disk(stage, sandbox->disk_mib, err);
}

static int set_sizes(const struct paths *paths, const struct create_options *options, struct sandbox *sandbox,
		     struct err *err)
{
	int r = default_cpus(paths, &sandbox->cpus, err);

	r = r < 0 ? r : parse_cpus(options->cpus, &sandbox->cpus, err);
	r = r < 0 ? r : parse_memory(options->memory, &sandbox->memory_mib, err);
	return r < 0 ? r : parse_disk(options->disk, &sandbox->disk_mib, err);
}

int create_prepare(const struct paths *paths, const char *template, struct err *err)
{
	const struct create_options none = {.name = NULL};
	char agent[] = "shell", start[START_STATE_NAME_BYTES];
	struct sandbox shape = {.agent = agent, .template = (char *)(uintptr_t) template};
	int r = set_sizes(paths, &none, &shape, err);

	return r < 0 ? r : start_state_obtain(paths, &shape, start, err);
}

static int collect_guards(const struct option_list *patterns, char ***ret, struct err *err)
{
	char **lines = calloc(patterns->count + 1, sizeof(*lines));

	for (size_t i = 0; lines && i < patterns->count; i++) {
		if (asprintf(&lines[i], "allow %s", patterns->items[i]) < 0) {
			lines[i] = NULL;
			sandbox_names_free(lines);
			lines = NULL;
		}
	}
	if (!lines)
		return err_errno(err, -ENOMEM, "cannot describe the sandbox");
	*ret = lines;
	return 0;
}

/* An agent that is installed has a template of its own, under its name; for others *ret stays. */
static int choose_template(const char *agent_name, const char **ret, struct err *err)
{
	autofree struct agent *agent = calloc(1, sizeof(*agent));
	int r;

	if (!agent)
		return err_errno(err, -ENOMEM, "cannot read the agent");
	r = agent_load(agent_name, agent, err);
	if (r == 0 && agent->npm.count > 0)
		*ret = agent_name;
	return r;
}

static int describe(const struct paths *paths, const char *agent, const struct create_options *options,
		    struct wish *wish, struct sandbox *sandbox, struct err *err)
{
	const char *template = TEMPLATE_BASE_NAME;
	int r = options->has_no_mount ? 0 : wish_add_current(paths, options->allows_home, wish, err);

	r = r < 0 ? r : wish_describe(wish, sandbox, err);
	r = r < 0 ? r : set_sizes(paths, options, sandbox, err);
	r = r < 0 ? r : env_collect(paths, &options->env, &options->env_files, &sandbox->env, err);
	r = r < 0 ? r : collect_guards(&options->guards, &sandbox->guard, err);
	r = r < 0 ? r : choose_template(agent, &template, err);
	if (r < 0)
		return r;
	sandbox->agent = strdup(agent);
	sandbox->template = strdup(template);
	if (!sandbox->agent || !sandbox->template)
		return err_errno(err, -ENOMEM, "cannot describe the sandbox");
	if (options->name)
		snprintf(sandbox->name, sizeof(sandbox->name), "%s", options->name);
	else
		default_name(agent, sandbox->workspace, sandbox->name);
	return 0;
}

int create_sandbox(const struct paths *paths, const char *agent, const struct create_options *options,
		   struct wish *wish, struct sandbox *ret, struct err *err)
{
	auto_sandbox struct sandbox sandbox = {0};
	auto_stage struct stage stage = STAGE_NONE;
	int r = describe(paths, agent, options, wish, &sandbox, err);

	r = r < 0 ? r : open_stage(paths, &sandbox, options->name != NULL, &stage, err);
	r = r < 0 ? r : fill(paths, &sandbox, &stage, err);
	r = r < 0 ? r : stage_publish(&stage, &sandbox, err);
	if (r < 0)
		return r;
	*ret = sandbox;
	sandbox = (struct sandbox){0};
	return 0;
}

static void free_names(char ***names)
{
	sandbox_names_free(*names);
}

/* Forks and what came from snapshots belong to the same folder: the one that was there first is meant. */
int create_find(const struct paths *paths, const char *agent, const char *workspace, struct sandbox *ret,
		struct err *err)
{
	__attribute__((cleanup(free_names))) char **names = NULL;
	auto_sandbox struct sandbox first = {0};
	int r;

	if (!workspace)
		return err_set(err, -ESTALE, "the current folder is gone");
	r = sandbox_names(paths, SHELF_SANDBOXES, &names, err);
	if (r < 0)
		return r;
	for (char **name = names; *name; name++) {
		auto_sandbox struct sandbox sandbox = {0};

		/* One that is damaged is not this one; ls shows it. */
		if (sandbox_load(paths, SHELF_SANDBOXES, *name, &sandbox, NULL) < 0)
			continue;
		if (strcmp(sandbox.agent, agent) != 0 || !sandbox.workspace ||
		    strcmp(sandbox.workspace, workspace) != 0 ||
		    (first.agent && first.created <= sandbox.created))
			continue;
		sandbox_done(&first);
		first = sandbox;
		sandbox = (struct sandbox){0};
	}
	if (!first.agent)
		return -ENOENT;
	*ret = first;
	first = (struct sandbox){0};
	return 0;
}
