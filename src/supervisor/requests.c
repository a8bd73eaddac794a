#include "supervisor/life.h"

#include "base/log.h"
#include "supervisor/guest-stats.h"
#include "supervisor/journal.h"
#include "wire/control.h"

#include <errno.h>
#include <string.h>

enum { STOP_LIMIT_MS = 30000, STATS_LIMIT_MS = 1000, PAUSE_LIMIT_MS = 30000 };

static const char *state_of(const struct life *life)
{
	static const char *const names[] = {[STARTING] = "starting",
					    [SETTLING] = "starting",
					    [RUNNING] = "running",
					    [STOPPING] = "stopping"};

	if (life->is_full)
		return "disk full";
	return life->phase == RUNNING && life->is_paused ? "paused" : names[life->phase];
}

static void refuse(struct life *life, uint64_t ticket, const struct err *err)
{
	control_refuse(&life->control, ticket, err->text);
}

/* ---- what is ---- */

static json_t *describe(const struct life *life)
{
	const struct machine *machine = life->machine;

	return json_pack("{s:b, s:s, s:s, s:s, s:b, s:b, s:I, s:o, s:i, s:{s:i, s:i, s:i, s:i, s:i, s:i}}",
			 "ok", 1, "state", state_of(life), "agent", life->sandbox.agent, "accel",
			 engine_accel_name(life->kind.accel), "restored", life->from_name != NULL,
			 "needs_secrets", life->network.vault.is_bare, "since", (json_int_t)life->since,
			 "shares", folders_describe(life), "guarded", (int)life->n_guarded, "pids",
			 "supervisor", (int)getpid(), "engine", machine ? (int)machine->engine : 0, "link",
			 machine ? (int)machine->link : 0, "keeper", (int)life->shares.keeper, "proxy",
			 (int)life->network.proxy.pid, "vault", (int)life->network.vault.role.pid);
}

static void on_status(struct life *life, struct control_request *request)
{
	control_answer(&life->control, request->ticket, describe(life), -1);
}

static json_t *guest_json(const struct guest_stats *stats)
{
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:f}", "memory_total_kib",
			 (json_int_t)stats->memory_total_kib, "memory_available_kib",
			 (json_int_t)stats->memory_available_kib, "disk_total_kib",
			 (json_int_t)stats->disk_total_kib, "disk_used_kib", (json_int_t)stats->disk_used_kib,
			 "processes", (json_int_t)stats->processes, "uptime_seconds",
			 (json_int_t)stats->uptime_seconds, "load", (double)stats->load_hundredths / 100);
}

void requests_stats(struct life *life, struct slice body)
{
	struct guest_stats stats;
	bool is_known = guest_stats_parse(body, &stats) == 0;

	uv_timer_stop(&life->asking);
	for (size_t i = 0; i < life->n_askers; i++) {
		json_t *reply = describe(life);

		json_object_set_new(reply, "guest", is_known ? guest_json(&stats) : json_null());
		control_answer(&life->control, life->askers[i], reply, -1);
	}
	life->n_askers = 0;
}

static void on_no_stats(uv_timer_t *timer)
{
	requests_stats(timer->data, slice_text(""));
}

static void on_stats(struct life *life, struct control_request *request)
{
	bool is_able = life->phase == RUNNING && !life->is_paused && !life->is_full && !keep_is_busy(life);

	if (life->n_askers == JOBS_MAX) {
		control_refuse(&life->control, request->ticket, "too many ask at once");
		return;
	}
	life->askers[life->n_askers++] = request->ticket;
	if (!is_able ||
	    (life->n_askers == 1 &&
	     machine_request(life->machine, REQUEST_STATS, "GET " CONTROL_STATS "\n", slice_text("")) < 0))
		requests_stats(life, slice_text(""));
	else if (life->n_askers == 1)
		uv_timer_start(&life->asking, on_no_stats, STATS_LIMIT_MS, 0);
}

static void on_memory(struct life *life, struct control_request *request)
{
	const char *id = json_string_value(json_object_get(request->body, "id"));
	uint64_t bytes = life->kind.memory_mib << 20;

	if (id && life->kind.memory == ENGINE_MEMORY_SHARED && strcmp(id, life->from.base) == 0 &&
	    ram_is_sealed(life->memfd, bytes))
		control_answer(&life->control, request->ticket, NULL, life->memfd);
	else
		control_refuse(&life->control, request->ticket, "it has started from something else");
}

/* ---- what is to be done ---- */

static int check_running(const struct life *life, struct err *err)
{
	const char *name = life->sandbox.name;

	if (life->is_full)
		return err_set(err, -ENOSPC,
			       "the disk that holds sandbox '%s' is full: free some space, then it goes on",
			       name);
	if (life->phase != RUNNING)
		return err_set(err, -EAGAIN, "sandbox '%s' is %s: try again in a moment", name,
			       state_of(life));
	return 0;
}

int requests_check_able(const struct life *life, struct err *err)
{
	int r = check_running(life, err);

	if (r < 0)
		return r;
	if (life->is_paused)
		return err_set(err, -EAGAIN, "sandbox '%s' is paused: 'sbx resume %s' has it go on",
			       life->sandbox.name, life->sandbox.name);
	if (!life->machine->is_ready)
		return err_set(err, -EAGAIN, "the connection to sandbox '%s' is being made anew: try again",
			       life->sandbox.name);
	return 0;
}

static int on_exec(void *owner, int fd, struct err *err)
{
	struct life *life = owner;
	int r = requests_check_able(life, err);

	if (r < 0)
		return r;
	return fd < 0 ? 0 : machine_stream(life->machine, CONTROL_EXEC, fd);
}

static void on_limit(uv_timer_t *timer)
{
	struct life *life = timer->data;

	machine_quit(life->machine, NULL);
}

static void shut_down(struct life *life)
{
	uv_timer_start(&life->limit, on_limit, STOP_LIMIT_MS, 0);
	if (life->is_paused)
		machine_continue(life->machine);
	life->is_paused = false;
	if (machine_request(life->machine, REQUEST_SHUTDOWN, "POST " CONTROL_SHUTDOWN "\n", slice_text("")) <
	    0)
		machine_quit(life->machine, NULL);
}

void requests_stop(struct life *life, bool is_cold)
{
	life->is_stop_wanted = true;
	life->is_cold_wanted |= is_cold;
	if (life->phase == STARTING || life->phase == SETTLING) {
		life->is_cancelled = true;
		machine_kill(life->machine, "it was stopped");
		return;
	}
	if (life->phase == STOPPING || keep_is_busy(life))
		return;
	life->phase = STOPPING;
	life->is_stop_wanted = false;
	if (life->is_cold_wanted)
		shut_down(life);
	else if (life->is_full)
		requests_stopped(life, "the disk that holds it is full: free some space, or use --cold");
	else
		keep_suspend(life);
}

void requests_stopped(struct life *life, const char *error)
{
	if (error && life->phase == STOPPING)
		life->phase = RUNNING;
	for (size_t i = 0; i < life->n_stops; i++) {
		if (error)
			control_refuse(&life->control, life->stops[i], error);
		else
			control_answer(&life->control, life->stops[i], NULL, -1);
	}
	life->n_stops = 0;
}

static void on_stop(struct life *life, struct control_request *request)
{
	if (life->n_stops == JOBS_MAX) {
		control_refuse(&life->control, request->ticket, "it is being stopped already");
		return;
	}
	life->stops[life->n_stops++] = request->ticket;
	requests_stop(life, json_is_true(json_object_get(request->body, "cold")));
}

void requests_paused(struct life *life)
{
	uv_timer_stop(&life->pausing);
	if (life->n_pausers == 0)
		return;
	(void)monitor_ask(&life->machine->monitor, "stop", NULL, -1, NULL, NULL);
	life->is_paused = true;
	for (size_t i = 0; i < life->n_pausers; i++)
		control_answer(&life->control, life->pausers[i], NULL, -1);
	life->n_pausers = 0;
	if (life->is_stop_wanted)
		requests_stop(life, life->is_cold_wanted);
}

static void on_no_pause(uv_timer_t *timer)
{
	log_line("the guest does not make itself quiet: it is paused as it is");
	requests_paused(timer->data);
}

/* Quiet first, so that it can be saved or copied as it stands, and hears of the time before its programs go
 * on. */
static void on_pause(struct life *life, struct control_request *request)
{
	struct err err;
	int r = check_running(life, &err);

	if (r == 0 && (save_is_going_on(&life->save) || life->n_jobs > 0 || life->n_pausers == JOBS_MAX))
		r = err_set(&err, -EBUSY, "sandbox '%s' is just being copied: try again in a moment",
			    life->sandbox.name);
	if (r < 0) {
		refuse(life, request->ticket, &err);
		return;
	}
	if (life->is_paused) {
		control_answer(&life->control, request->ticket, NULL, -1);
		return;
	}
	life->pausers[life->n_pausers++] = request->ticket;
	if (life->n_pausers > 1)
		return;
	uv_timer_start(&life->pausing, on_no_pause, PAUSE_LIMIT_MS, 0);
	if (machine_request(life->machine, REQUEST_PAUSE, "POST " CONTROL_QUIESCE "\n", slice_text("")) < 0)
		requests_paused(life);
}

static void on_resume(struct life *life, struct control_request *request)
{
	struct err err;
	int r = check_running(life, &err);

	if (r < 0) {
		refuse(life, request->ticket, &err);
		return;
	}
	if (life->is_paused && !save_is_going_on(&life->save)) {
		machine_continue(life->machine);
		(void)launch_tell_guest(life, REQUEST_THAW);
		(void)launch_tell_secrets(life);
	}
	life->is_paused = false;
	control_answer(&life->control, request->ticket, NULL, -1);
}

static void on_save(struct life *life, struct control_request *request)
{
	struct job job = {.ticket = request->ticket};
	struct err err;
	int r = check_running(life, &err);

	if (r == 0 && request->n_fds != CONTROL_FDS_MAX)
		r = err_set(&err, -EINVAL, "a copy needs four files");
	if (r < 0) {
		refuse(life, request->ticket, &err);
		return;
	}
	job.disk = steal_fd(&request->fds[0]);
	job.devices = steal_fd(&request->fds[1]);
	job.memory = steal_fd(&request->fds[2]);
	job.folders = steal_fd(&request->fds[3]);
	if (keep_copy(life, &job) == 0)
		return;
	job_close(&job);
	control_refuse(&life->control, request->ticket, "too many copies are being made of it");
}

/* ---- policy ---- */

static void on_note(void *owner, const char *text)
{
	const struct life *life = owner;

	journal_add(life->place.dir, life->sandbox.name, NULL, text);
}

static void answer(struct life *life, struct applier *applier, const char *error)
{
	uint64_t ticket = applier->ticket;

	applier->ticket = 0;
	if (error)
		control_refuse(&life->control, ticket, error);
	else
		control_answer(&life->control, ticket, NULL, -1);
}

static void on_applied(void *owner, uint32_t id, const char *error)
{
	struct life *life = owner;

	for (size_t i = 0; i < JOBS_MAX; i++) {
		struct applier *applier = &life->appliers[i];

		if (applier->ticket && applier->id == id && (error || --applier->n_layers == 0))
			answer(life, applier, error);
	}
}

static void on_proxy_gone(void *owner)
{
	struct life *life = owner;

	for (size_t i = 0; i < JOBS_MAX; i++)
		if (life->appliers[i].ticket)
			answer(life, &life->appliers[i], "its proxy ended before it had them");
}

static void on_trust(void *owner)
{
	struct life *life = owner;

	if (life->phase == RUNNING)
		(void)launch_tell_trust(life);
	else
		launch_on_trust(life);
}

const struct network_ops requests_network_ops = {
	.on_trust = on_trust,
	.on_note = on_note,
	.on_applied = on_applied,
	.on_proxy_gone = on_proxy_gone,
	.on_secrets = secrets_on_change,
	.on_fed = secrets_on_fed,
	.on_vault_gone = secrets_on_vault_gone,
};

static void on_policy(struct life *life, struct control_request *request)
{
	for (size_t i = 0; i < JOBS_MAX; i++) {
		struct applier *applier = &life->appliers[i];

		if (applier->ticket)
			continue;
		*applier = (struct applier){
			.ticket = request->ticket, .id = ++life->last_policy, .n_layers = PROXY_LAYERS};
		if (network_apply(&life->network, applier->id) < 0)
			answer(life, applier, "its proxy does not run: it reaches nothing");
		return;
	}
	control_refuse(&life->control, request->ticket, "too many policies are being applied at once");
}

static void on_request(void *owner, struct control_request *request)
{
	static const struct {
		const char *op;
		void (*obey)(struct life *life, struct control_request *request);
	} ops[] = {
		{"status", on_status},
		{"stats", on_stats},
		{"memory", on_memory},
		{"stop", on_stop},
		{"pause", on_pause},
		{"resume", on_resume},
		{"save", on_save},
		{"mount", folders_on_mount},
		{"umount", folders_on_umount},
		{"diff", folders_on_diff},
		{"guard", folders_on_guard},
		{"policy", on_policy},
		{"secrets", secrets_on_request},
		{"all-secrets", secrets_on_request},
	};
	struct life *life = owner;

	for (size_t i = 0; i < array_len(ops); i++) {
		if (strcmp(request->op, ops[i].op) == 0) {
			ops[i].obey(life, request);
			return;
		}
	}
	control_refuse(&life->control, request->ticket, "there is no such \"op\"");
}

/* What it has asked for is done all the same. */
static void on_client_gone(void *owner, uint64_t ticket)
{
	struct life *life = owner;

	for (size_t i = 0; i < JOBS_MAX; i++) {
		if (life->appliers[i].ticket == ticket)
			life->appliers[i].ticket = 0;
		if (life->feeders[i].ticket == ticket)
			life->feeders[i].ticket = 0;
	}
}

const struct control_ops requests_ops = {
	.on_request = on_request, .on_exec = on_exec, .on_gone = on_client_gone};
