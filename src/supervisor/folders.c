/*
 * How it works
 *   Each folder has a number, which is that of its port, for as long as it is mounted. Its server (shares.h)
 * is started as soon as the machine is; the guest is asked to mount it once it answers. A guest that
 * continues from a saved state has it mounted already, and says so. What was unmounted while the machine was
 * saved is unmounted in the guest at its next start.
 */
#include "supervisor/life.h"

#include "base/file.h"
#include "base/log.h"
#include "supervisor/journal.h"
#include "supervisor/sandbox-file.h"
#include "supervisor/supervisor.h"
#include "wire/control.h"
#include "wire/guard.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

enum { RULES_MAX_BYTES = 65536 };

struct sandbox_share *folders_find(const struct life *life, unsigned id)
{
	for (size_t i = 0; i < life->sandbox.n_shares; i++)
		if (life->sandbox.shares[i].port == id)
			return &life->sandbox.shares[i];
	return NULL;
}

void folders_describe_again(struct life *life)
{
	struct err err;

	if (sandbox_save(life->place.dir, &life->sandbox, &err) < 0)
		log_line("%s", err.text);
}

/* ---- what servers tell ---- */

static void on_note(void *owner, unsigned id, const char *text)
{
	struct life *life = owner;
	const struct share *share = &life->shares.all[id];

	life->n_guarded++;
	journal_add(life->place.dir, life->sandbox.name, share->name, text);
}

static void on_role(void *owner, unsigned id, pid_t pid, int *channel)
{
	struct life *life = owner;

	network_on_role(&life->network, id, pid, channel);
}

static void on_role_failed(void *owner, unsigned id, const char *why)
{
	struct life *life = owner;

	network_on_role_failed(&life->network, id, why);
}

static void on_failed(void *owner, unsigned id, const char *why)
{
	struct life *life = owner;

	log_line("'%s' is not served any more: %s; stopping and starting the sandbox brings it back",
		 life->shares.all[id].name, why);
}

/* ---- the start ---- */

/* A rule that makes no sense is none that may be left out: it may be one that guards something. */
static int add_rules(struct slice text, char ***rules, size_t *count)
{
	struct guard_rule rule;
	struct slice line;
	unsigned number = 0;
	int r;

	while ((r = guard_take(&text, &number, &line, &rule)) > 0) {
		char **grown = realloc(*rules, (*count + 2) * sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		*rules = grown;
		grown[*count] = strndup(line.ptr, line.len);
		if (!grown[*count])
			return -ENOMEM;
		grown[++*count] = NULL;
	}
	return r;
}

/* Those of all sandboxes, then those of this one: the last one that matches counts. */
int folders_set_rules(struct life *life, struct err *err)
{
	char **all = NULL;
	size_t count = 0;
	int r = 0;

	for (char **rule = life->rules; r == 0 && rule && *rule; rule++)
		r = add_rules(slice_text(*rule), &all, &count);
	for (char **rule = life->sandbox.guard; r == 0 && rule && *rule; rule++)
		r = add_rules(slice_text(*rule), &all, &count);
	r = r < 0 ? r : shares_guard(&life->shares, all);
	for (size_t i = 0; i < count; i++)
		free(all[i]);
	free(all);
	return r < 0 ? err_errno(err, r, "cannot use the rules for guarded paths") : 0;
}

static int read_rules(struct life *life, struct err *err)
{
	autofd int config = file_open_dir(AT_FDCWD, life->place.paths.config);
	auto_buf struct buf text = {0};
	size_t count = 0;
	int r = config < 0 ? config : file_read(config, "guard", RULES_MAX_BYTES, &text);

	if (r < 0 && r != -ENOENT)
		return err_errno(err, r, "cannot read '%s/guard'", life->place.paths.config);
	r = r < 0 ? 0 : add_rules(buf_slice(&text), &life->rules, &count);
	return r < 0 ? err_errno(err, r, "cannot use '%s/guard' ('sbx guard ls' looks at it)",
				 life->place.paths.config)
		     : folders_set_rules(life, err);
}

void folders_take(struct life *life)
{
	for (int i = 0; i < SHARE_PORTS; i++) {
		bool is_there = fcntl(SUPERVISOR_SHARE_FD + i, F_GETFD) >= 0;

		life->roots[i] = is_there ? SUPERVISOR_SHARE_FD + i : -1;
		life->states.states[i] = -1;
	}
}

int folders_open(struct life *life, struct err *err)
{
	int r = shares_start(&life->shares, err);

	return r < 0 ? r : read_rules(life, err);
}

int folders_attach(struct life *life)
{
	static const struct shares_ops ops = {
		.on_note = on_note,
		.on_role = on_role,
		.on_role_failed = on_role_failed,
		.on_failed = on_failed,
	};

	return shares_attach(&life->shares, &life->loop, &ops, life);
}

void folders_restore(struct life *life)
{
	autofd int dir = file_open_dir(life->place.dir, life->from_name);
	autofd int file = dir < 0 ? -1 : openat(dir, "folders", O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	int r = file < 0 ? 0 : share_states_read(file, &life->states);

	if (r == 0)
		return;
	log_line("what the servers of the folders knew is damaged: what was open there has to be opened "
		 "again");
	/* Whatever the guest has mounted, it goes on with a server that knows nothing of it. */
	for (unsigned i = 0; i < SHARE_PORTS; i++)
		life->states.is_known[i] = true;
}

/* Whoever opened it may have read another description than this one. */
static bool is_at(int root, const char *source)
{
	char link[32], found[PATH_MAX];
	ssize_t len;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", root);
	len = readlink(link, found, sizeof(found));
	return len > 0 && len == (ssize_t)strlen(source) && memcmp(found, source, (size_t)len) == 0;
}

static void serve(struct life *life, const struct sandbox_share *share)
{
	unsigned id = share->port;
	int r = life->roots[id] >= 0 && is_at(life->roots[id], share->source) ? 0 : -ENOENT;

	if (r == 0)
		r = shares_keep(&life->shares, id, share->source, steal_fd(&life->roots[id]),
				share->is_read_only ? SHARE_READ_ONLY : SHARE_READ_WRITE,
				life->states.is_known[id] ? SHARE_GUEST_CONTINUES : SHARE_GUEST_NEW,
				steal_fd(&life->states.states[id]));
	if (r < 0)
		log_line("'%s' cannot be served: %s", share->source, strerror(-r));
}

void folders_begin(struct life *life)
{
	for (size_t i = 0; i < life->sandbox.n_shares; i++)
		if (!life->sandbox.shares[i].is_gone &&
		    !shares_has(&life->shares, life->sandbox.shares[i].port))
			serve(life, &life->sandbox.shares[i]);
	share_states_done(&life->states);
	shares_connect(&life->shares, life->machine->shares);
}

/* ---- what the guest is told ---- */

int folders_ask(struct life *life, const struct sandbox_share *share, bool is_mount, bool is_forced)
{
	auto_buf struct buf body = {0};
	uint32_t id = (is_mount ? REQUEST_MOUNT : REQUEST_UMOUNT) + share->port;
	int r = buf_printf(&body, "port sbx.share.%u\ntarget %s\nmode %s\nkind %s\n", share->port,
			   share->target, share->is_read_only ? "ro" : "rw", share->is_file ? "file" : "dir");

	if (r == 0 && is_forced)
		r = buf_append(&body, slice_text("force 1\n"));
	return r < 0 ? r
		     : machine_request(life->machine, id,
				       is_mount ? "POST " CONTROL_MOUNT "\n" : "POST " CONTROL_UMOUNT "\n",
				       buf_slice(&body));
}

void folders_mount_all(struct life *life)
{
	life->n_mounting = 0;
	for (size_t i = 0; i < life->sandbox.n_shares; i++) {
		const struct sandbox_share *share = &life->sandbox.shares[i];

		/* Whoever looked into it would wait for a server that never comes. */
		if (!share->is_gone && !shares_has(&life->shares, share->port)) {
			launch_on_folders(life, "a folder that it shares is not where it was when the start "
						"began: try again");
			return;
		}
		if (folders_ask(life, share, !share->is_gone, share->is_gone) < 0) {
			launch_on_folders(life, "the guest could not be told of its folders");
			return;
		}
		life->n_mounting++;
	}
	if (life->n_mounting == 0)
		launch_on_folders(life, NULL);
}

static void forget_share(struct life *life, unsigned id)
{
	struct sandbox_share *share = folders_find(life, id);

	if (share)
		sandbox_drop_share(&life->sandbox, share);
	folders_describe_again(life);
}

static void on_start_reply(struct life *life, unsigned id, bool is_mount, unsigned status)
{
	static char why[512];
	const struct sandbox_share *share = folders_find(life, id);

	if (is_mount && status != 204) {
		snprintf(why, sizeof(why), "it could not mount '%s'", share ? share->target : "a folder");
		life->n_mounting = 0;
		launch_on_folders(life, why);
		return;
	}
	if (!is_mount)
		forget_share(life, id);
	if (life->n_mounting > 0 && --life->n_mounting == 0)
		launch_on_folders(life, NULL);
}

void folders_on_reply(struct life *life, uint32_t id, unsigned status)
{
	bool is_mount = id < REQUEST_UMOUNT;
	unsigned port = id - (is_mount ? REQUEST_MOUNT : REQUEST_UMOUNT);

	if (life->phase == STARTING)
		on_start_reply(life, port, is_mount, status);
	else if (life->mounters[port] != 0)
		folders_on_answer(life, port, is_mount, status);
}

json_t *folders_describe(const struct life *life)
{
	json_t *list = json_array();

	for (size_t i = 0; i < life->sandbox.n_shares; i++) {
		const struct sandbox_share *share = &life->sandbox.shares[i];

		json_array_append_new(list,
				      json_pack("{s:s, s:s, s:b, s:i}", "source", share->source, "target",
						share->target, "read_only", share->is_read_only, "pid",
						(int)life->shares.all[share->port].pid));
	}
	return list;
}
