/*
 * How it works
 *   A saved state is used when it is whole, fits this engine, and the disk is as it was. The engine is
 * started waiting, memory and devices are filled in, and then, right before the processor runs, the state's
 * folder is renamed: from here on the disk may change. It goes when the guest has answered. A process
 * that is killed in between leaves it as "resuming", and the disk's time of change tells whether it is still
 * good. Whatever goes wrong with a saved state costs a boot from the disk, and one sentence.
 */
#include "supervisor/life.h"

#include "base/file.h"
#include "base/log.h"
#include "supervisor/supervisor.h"
#include "wire/control.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/random.h>
#include <time.h>

enum {
	START_LIMIT_TCG_MS = 180000,
	START_LIMIT_KVM_MS = 60000,
	RESTORE_LIMIT_MS = 60000,
	SETTLE_LIMIT_MS = 300000,
	ENTROPY_BYTES = 64,
};

int launch_tell_guest(struct life *life, enum request_id id)
{
	unsigned char entropy[ENTROPY_BYTES];
	auto_buf struct buf body = {0};
	struct timespec now;
	int r;

	if (getrandom(entropy, sizeof(entropy), 0) != sizeof(entropy))
		return -EIO;
	clock_gettime(CLOCK_REALTIME, &now);
	r = buf_printf(&body, "time %lld.%09ld\nentropy ", (long long)now.tv_sec, now.tv_nsec);
	for (size_t i = 0; r == 0 && i < sizeof(entropy); i++)
		r = buf_printf(&body, "%02x", entropy[i]);
	if (id == REQUEST_RESUME)
		r = r < 0 ? r
			  : buf_printf(&body, "\nhostname %s\nmachine-id %s\n%s", life->sandbox.name,
				       life->sandbox.machine_id, life->from_name ? "restored 1" : "");
	r = r < 0 ? r : buf_append(&body, slice_text("\n"));
	return r < 0 ? r : machine_request(life->machine, id, "POST " CONTROL_RESUME "\n", buf_slice(&body));
}

/* A host that has no store leaves the guest with its own. */
int launch_tell_trust(struct life *life)
{
	autofd int file = network_trust(&life->network);

	return file < 0
		       ? 0
		       : machine_request_file(life->machine, REQUEST_TRUST, "POST " CONTROL_TRUST "\n", file);
}

/* ---- the machine ---- */

static uint64_t limit_ms(const struct life *life, uint64_t built_in_ms)
{
	return life->start_limit_s * 1000 > built_in_ms ? life->start_limit_s * 1000 : built_in_ms;
}

static uint64_t start_limit_ms(const struct life *life)
{
	if (life->kind.is_restored)
		return limit_ms(life, RESTORE_LIMIT_MS);
	if (life->start_limit_s > 0)
		return life->start_limit_s * 1000;
	return life->kind.accel == ENGINE_KVM ? START_LIMIT_KVM_MS : START_LIMIT_TCG_MS;
}

static void on_limit(uv_timer_t *timer)
{
	launch_on_limit(timer->data);
}

static int start_machine(struct life *life, struct err *err)
{
	const struct machine_files files = {.kernel = SUPERVISOR_KERNEL_FD,
					    .initramfs = SUPERVISOR_INITRAMFS_FD,
					    .base = SUPERVISOR_BASE_FD,
					    .layer = life->has_layer ? SUPERVISOR_LAYER_FD : -1,
					    .disk = life->disk,
					    .memory = life->memfd,
					    .console_log = life->console_log,
					    .engine_log = life->engine_log};
	int r;

	life->machine = &life->machines[life->n_launches++];
	life->is_ready = life->is_told = false;
	uv_timer_start(&life->limit, on_limit, start_limit_ms(life), 0);
	r = machine_start(life->machine, &life->loop, &life->kind, &files, life_machine_ops(), life, err);
	if (r == 0) {
		folders_begin(life);
		network_connect(&life->network, life->machine->network);
	}
	return r;
}

/* What was saved is not what the disk holds any more once this machine runs. */
static int boot(struct life *life, struct err *err)
{
	(void)file_remove_tree(life->place.dir, "saved", NULL);
	(void)file_remove_tree(life->place.dir, "resuming", NULL);
	(void)file_remove_tree(life->place.dir, "base", NULL);
	life->from_name = NULL;
	share_states_done(&life->states);
	life->from = (struct saved){.base = ""};
	life->kind.memory = ENGINE_MEMORY_OWN;
	life->kind.is_restored = false;
	life->memfd = ram_new(life->kind.memory_mib << 20);
	if (life->memfd < 0)
		return err_errno(err, life->memfd, "cannot make the machine's memory");
	starter_phase(&life->starter, "booting");
	return start_machine(life, err);
}

/* ---- restoring ---- */

static void say_why_not(struct life *life, const char *why)
{
	char text[ERR_TEXT_BYTES + 256];

	snprintf(text, sizeof(text), "'%s' starts from its disk, without what was running in it: %s",
		 life->sandbox.name, why);
	log_line("%s", text);
	starter_note(&life->starter, text);
}

static void on_restored(void *owner, const struct err *err)
{
	struct life *life = owner;

	if (err) {
		say_why_not(life, err->text);
		machine_kill(life->machine, "its saved state could not be loaded");
		return;
	}
	if (strcmp(life->from_name, "saved") == 0) {
		(void)file_remove_tree(life->place.dir, "resuming", NULL);
		(void)renameat(life->place.dir, "saved", life->place.dir, "resuming");
		(void)fsync(life->place.dir);
	}
	machine_continue(life->machine);
}

static int open_state(const struct life *life, const char *name)
{
	char path[32];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", life->from_name, name);
	fd = openat(life->place.dir, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* The sealed memory that others have started from, or a new one to be filled from its image. */
static int open_base(struct life *life, struct restore_source *source)
{
	source->base = -1;
	if (ram_is_sealed(SUPERVISOR_MEMORY_FD, source->bytes)) {
		life->memfd = SUPERVISOR_MEMORY_FD;
		return 0;
	}
	source->base = openat(life->place.dir, "base", O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (source->base < 0)
		return -errno;
	life->memfd = ram_new(source->bytes);
	return life->memfd < 0 ? life->memfd : 0;
}

static int restore(struct life *life, struct err *err)
{
	struct restore_source source = {.base = -1,
					.memory = -1,
					.has_base = !saved_is_base(&life->from),
					.bytes = life->kind.memory_mib << 20};
	int r = 0;

	source.devices = open_state(life, "devices");
	if (life->from.memory_bytes > 0)
		source.memory = open_state(life, "memory");
	if (source.devices < 0 || (life->from.memory_bytes > 0 && source.memory < 0))
		return err_set(err, -EIO, "it cannot be opened");
	if (source.has_base)
		r = open_base(life, &source);
	else
		r = life->memfd = ram_new(source.bytes);
	if (r < 0)
		return err_errno(err, r, "its memory cannot be opened");
	folders_restore(life);
	source.memfd = life->memfd;
	life->kind.memory = source.has_base ? ENGINE_MEMORY_SHARED : ENGINE_MEMORY_OWN;
	life->kind.is_restored = true;
	starter_phase(&life->starter, "restoring");
	r = start_machine(life, err);
	if (r == 0)
		restore_begin(&life->restore, life->machine, &source, on_restored, life);
	return r;
}

/* True when there is a state that can be used; says why one that is there cannot. */
static bool find_state(struct life *life)
{
	static const char *const names[] = {"saved", "resuming"};
	struct err err;

	for (size_t i = 0; i < array_len(names); i++) {
		int r = saved_read(life->place.dir, names[i], &life->from, &err);

		if (r == 0 && strcmp(life->from.machine, life->key) == 0) {
			life->from_name = names[i];
			return true;
		}
		if (r == 0)
			say_why_not(life, "it was saved by another version of QEMU or of its template");
		else if (r != -ENOENT)
			say_why_not(life, err.text);
	}
	return false;
}

/* ---- the start ---- */

static int open_files(struct life *life, struct err *err)
{
	life->disk = openat(life->place.dir, "disk.img", O_RDWR | O_NOFOLLOW | O_CLOEXEC);
	if (life->disk < 0)
		return err_errno(err, -errno, "cannot open the disk of '%s'", life->sandbox.name);
	life->console_log = place_log(&life->place, "console.log", err);
	if (life->console_log < 0)
		return life->console_log;
	life->engine_log = place_log(&life->place, "engine.log", err);
	return life->engine_log < 0 ? life->engine_log : 0;
}

int launch_begin(struct life *life, struct err *err)
{
	char engine[ENGINE_KEY_BYTES];
	struct engine_probe probe;
	int r = open_files(life, err);

	/* What a process that was killed in the middle has left. */
	(void)file_remove_tree(life->place.dir, "saved.new", NULL);
	(void)file_remove_tree(life->place.dir, "spent", NULL);

	r = r < 0 ? r : engine_probe(&life->place.paths, &probe, err);
	if (r < 0)
		return r;
	life->kind =
		(struct engine_machine){.accel = probe.verdict == ENGINE_KVM_GOOD ? ENGINE_KVM : ENGINE_TCG,
					.cpus = life->sandbox.cpus,
					.memory_mib = life->sandbox.memory_mib};
	r = engine_key(&life->place.paths, &life->kind, engine, err);
	if (r < 0)
		return r;
	saved_make_key(engine, life->template_id, life->key);
	if (life->is_start || !find_state(life))
		return boot(life, err);
	r = restore(life, err);
	if (r == 0 || life->n_launches > 0)
		return r;
	say_why_not(life, err->text);
	return boot(life, err);
}

/* No program inside runs before it can find out whom to trust. */
void launch_on_trust(struct life *life)
{
	if (life->phase != STARTING || !life->is_ready || life->is_told || !network_is_ready(&life->network))
		return;
	life->is_told = true;
	if (launch_tell_trust(life) < 0 || launch_tell_secrets(life) < 0 ||
	    launch_tell_guest(life, REQUEST_RESUME) < 0)
		machine_kill(life->machine, "the guest could not be told its name");
}

void launch_on_ready(struct life *life)
{
	if (life->phase != STARTING)
		return;
	life->is_ready = true;
	starter_phase(&life->starter, "the guest answers");
	if (!life->is_start) {
		launch_on_trust(life);
		return;
	}
	life->phase = SETTLING;
	starter_phase(&life->starter, "the Docker engine starts");
	uv_timer_start(&life->limit, on_limit, limit_ms(life, SETTLE_LIMIT_MS), 0);
	if (machine_request(life->machine, REQUEST_SETTLE, "POST " CONTROL_SETTLE "\n", slice_text("")) < 0)
		machine_kill(life->machine, "the guest could not be asked to settle");
}

/* On a thread: a file system that is busy lets whoever syncs it wait. */
static void on_tidy(uv_work_t *work)
{
	const struct life *life = work->data;

	(void)fsync(life->place.dir);
	(void)file_remove_tree(life->place.dir, "spent", NULL);
}

static void on_tidied(uv_work_t *work, int status)
{
	(void)work, (void)status;
}

void launch_on_reply(struct life *life, unsigned status)
{
	if (status != 204) {
		machine_kill(life->machine, life->phase == SETTLING ? "its Docker engine did not start"
								    : "the guest refused its settings");
		return;
	}
	if (life->phase == SETTLING) {
		uv_timer_stop(&life->limit);
		starter_phase(&life->starter, "saving");
		keep_suspend(life);
		return;
	}
	folders_mount_all(life);
}

void launch_on_folders(struct life *life, const char *error)
{
	if (error) {
		machine_kill(life->machine, error);
		return;
	}
	uv_timer_stop(&life->limit);
	life->phase = RUNNING;
	starter_end(&life->starter, NULL);
	/* The guest runs: what it came from is past. */
	(void)renameat(life->place.dir, "resuming", life->place.dir, "spent");
	life->tidying.data = life;
	(void)uv_queue_work(&life->loop, &life->tidying, on_tidy, on_tidied);
}

void launch_on_limit(struct life *life)
{
	machine_kill(life->machine, life->phase == SETTLING ? "its Docker engine did not start in time"
							    : "the guest did not answer in time");
}

bool launch_on_end(struct life *life, const char *why)
{
	struct err err;

	if (!restore_on_end(&life->restore) && life->memfd >= 0)
		close(steal_fd(&life->memfd));
	if (!life->from_name || life->is_cancelled || life->machine->was_killed ||
	    life->n_launches == LAUNCHES_MAX)
		return true;
	if (life->restore.err.text[0] == '\0')
		say_why_not(life, why ? why : "its machine switched itself off");
	if (boot(life, &err) == 0)
		return false;
	log_line("%s", err.text);
	return true;
}
