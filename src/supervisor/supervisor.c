/*
 * One sandbox's life, from its start to its end. Interprets nothing that a guest has written: the link does
 * that.
 *
 * How it works
 *   STARTING  the engine restores or boots; the guest answers through the link; it is told what only the host
 *             knows
 *   SETTLING  only where what new sandboxes start from is made: waits for the Docker engine
 *   RUNNING   commands come in on the control socket and are handed to the link
 *   STOPPING  its state is saved, or the guest shuts down; then the engine ends, or is ended after a limit
 *   The process ends with its engine. The lock on the sandbox's folder goes with the process, however it
 * dies, and the roles die with it.
 */
#include "supervisor/supervisor.h"

#include "base/jail.h"
#include "base/log.h"
#include "base/text.h"
#include "supervisor/life.h"

#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { LOOK_FOR_SPACE_MS = 2000, FILES_MAX = 4096 };

/* ---- what the machine reports ---- */

static void on_ready(void *owner)
{
	launch_on_ready(owner);
}

static void on_reply(void *owner, uint32_t id, unsigned status, struct slice body)
{
	struct life *life = owner;

	if (id == SAVE_REQUEST)
		save_on_reply(&life->save, status);
	else if (id >= REQUEST_MOUNT && id < REQUEST_FOLDERS_END)
		folders_on_reply(life, id, status);
	else if (id == REQUEST_RESUME || id == REQUEST_SETTLE)
		launch_on_reply(life, status);
	else if (id == REQUEST_SHUTDOWN && status != 204 && status != 200)
		machine_quit(life->machine, NULL);
	else if (id == REQUEST_PAUSE)
		requests_paused(life);
	else if (id == REQUEST_STATS)
		requests_stats(life, status == 200 ? body : slice_text(""));
	else if (id == REQUEST_TRUST && status != 204)
		log_line("the guest did not take what the host trusts (%u)", status);
	else if (id == REQUEST_ENVIRONMENT && status != 204)
		log_line("the guest did not take the placeholders of secrets (%u)", status);
	else if (id == REQUEST_THAW && status != 204)
		log_line("the guest did not take the new time (%u)", status);
}

/* No file system tells when it has space again. */
static void on_space(uv_timer_t *timer)
{
	struct life *life = timer->data;

	if (place_has_room(&life->place))
		machine_continue(life->machine);
}

/* A machine that nobody here has stopped could not write to its disk. */
static void on_halt(struct life *life)
{
	if (life->is_paused || life->save.was_stopped || life->phase != RUNNING)
		return;
	life->is_full = true;
	log_line("the host's disk is full: the sandbox waits for space");
	uv_timer_start(&life->space, on_space, LOOK_FOR_SPACE_MS, LOOK_FOR_SPACE_MS);
}

static void on_event(void *owner, const struct qmp_message *event)
{
	struct life *life = owner;

	if (strcmp(event->text, "STOP") == 0) {
		on_halt(life);
	} else if (strcmp(event->text, "RESUME") == 0) {
		life->is_full = false;
		uv_timer_stop(&life->space);
	} else {
		restore_on_event(&life->restore, event);
		save_on_event(&life->save, event);
	}
}

static void explain(struct life *life, const char *why, struct buf *into)
{
	char path[PLACE_PATH_BYTES];

	(void)buf_printf(into, "sandbox '%s' did not start: %s", life->sandbox.name,
			 why ? why : "its machine switched itself off");
	place_last_words(&life->place, "engine.log", into);
	place_last_words(&life->place, "console.log", into);
	(void)buf_printf(into, "; what its console said is in %s", place_keep_console(&life->place, path));
}

static void on_end(void *owner, const char *why)
{
	struct life *life = owner;
	auto_buf struct buf text = {0};

	save_on_end(&life->save);
	if (life->is_suspended) {
		starter_end(&life->starter, NULL);
	} else if (life->phase == STARTING || life->phase == SETTLING) {
		if (!launch_on_end(life, why))
			return;
		explain(life, why, &text);
		log_line("%s", buf_text(&text));
		starter_end(&life->starter, buf_text(&text));
	} else if (why) {
		log_line("the sandbox has ended: %s", why);
	}
	place_unlisten(&life->place);
	if (life->phase == STOPPING && !life->is_suspended && !life->is_cold_wanted)
		requests_stopped(life,
				 "its machine has ended while it was being saved: it starts from its disk");
	requests_stopped(life, NULL);
	uv_stop(&life->loop);
}

const struct machine_ops *life_machine_ops(void)
{
	static const struct machine_ops ops = {
		.on_ready = on_ready, .on_reply = on_reply, .on_event = on_event, .on_end = on_end};

	return &ops;
}

static void on_terminate(uv_signal_t *signal, int number)
{
	struct life *life = signal->data;

	(void)number;
	life->is_terminating = true;
	requests_stop(life, false);
}

/* Its own clock goes on from where it was, whatever the host's does. */
static void on_clock_jump(void *owner)
{
	struct life *life = owner;

	if (life->phase == RUNNING && !life->is_paused && !life->is_full && !keep_is_busy(life))
		(void)launch_tell_guest(life, REQUEST_THAW);
}

static void on_starter_gone(void *owner)
{
	struct life *life = owner;

	life->is_cancelled = true;
	machine_kill(life->machine, "the command that started it was interrupted");
}

/* ---- start ---- */

/* What this process and its link have to say, for whoever looks into a start that went wrong. */
static int keep_log(struct life *life, struct err *err)
{
	autofd int fd = place_log(&life->place, "supervisor.log", err);

	if (fd < 0)
		return fd;
	return dup2(fd, STDERR_FILENO) < 0 ? err_errno(err, -errno, "cannot keep a log") : 0;
}

static int watch(struct life *life, int listener, struct err *err)
{
	int r = control_start(&life->control, &life->loop, listener, &requests_ops, life);

	r = r < 0 ? r : uv_timer_init(&life->loop, &life->limit);
	r = r < 0 ? r : uv_timer_init(&life->loop, &life->space);
	r = r < 0 ? r : uv_timer_init(&life->loop, &life->asking);
	r = r < 0 ? r : uv_timer_init(&life->loop, &life->pausing);
	r = r < 0 ? r : uv_signal_init(&life->loop, &life->terminate);
	r = r < 0 ? r : clock_watch_start(&life->clock, &life->loop, on_clock_jump, life);
	r = r < 0 ? r : save_init(&life->save, &life->loop);
	r = r < 0 ? r : folders_attach(life);
	r = r < 0 ? r
		  : starter_open(&life->starter, &life->loop, SUPERVISOR_STARTER_FD, on_starter_gone, life);
	if (r < 0)
		return err_set(err, r, "cannot set up the event loop: %s", uv_strerror(r));
	life->limit.data = life->space.data = life->asking.data = life->pausing.data = life->terminate.data =
		life;
	return uv_signal_start(&life->terminate, on_terminate, SIGTERM);
}

/*
 * Its roles inherit what is given up here, and give up more. What stays: the sandbox's own folder, the
 * folders of sockets and of what can be made again, programs and libraries.
 */
static int give_up(struct life *life, struct err *err)
{
	char programs[PATH_ROOM_BYTES];
	int r = paths_program("sbx-link", programs, err);
	const struct jail_rule rules[] = {
		{.fd = life->place.dir, .access = JAIL_READ | JAIL_WRITE},
		{.path = life->place.paths.run, .access = JAIL_READ | JAIL_WRITE},
		{.path = life->place.paths.cache, .access = JAIL_READ | JAIL_WRITE},
		{.path = programs, .access = JAIL_RUN},
		{.fd = SUPERVISOR_KERNEL_FD, .access = JAIL_READ},
		{.fd = SUPERVISOR_INITRAMFS_FD, .access = JAIL_READ},
		{.path = "/usr", .access = JAIL_RUN},
		{.path = "/lib", .access = JAIL_RUN},
		{.path = "/lib64", .access = JAIL_RUN},
		{.path = "/etc/ld.so.cache", .access = JAIL_READ},
		{.path = "/proc", .access = JAIL_READ},
		{.path = "/sys/devices/system", .access = JAIL_READ},
		{.path = "/dev/null", .access = JAIL_READ | JAIL_WRITE},
		{.path = "/dev/urandom", .access = JAIL_READ},
		{.path = "/dev/kvm", .access = JAIL_DEVICE},
		{.path = life->network.resolver.folder, .access = JAIL_READ},
		{.path = life->network.policy.folder, .access = JAIL_READ},
		{.path = life->network.store.folder, .access = JAIL_READ},
	};

	if (r < 0)
		return r;
	*strrchr(programs, '/') = '\0';
	r = jail_limits(FILES_MAX, 0);
	r = r < 0 ? r : jail_privileges(/* may_be_read= */ false);
	r = r < 0 ? r : jail_files(rules, array_len(rules));
	if (r == -EOPNOTSUPP) {
		log_line("this host has no Landlock: the supervisor can reach what its user can");
		r = 0;
	}
	r = r < 0 ? r : jail_calls_except();
	return r < 0 ? err_errno(err, r, "cannot give up the rights that a supervisor does not need") : 0;
}

/* A person may say how long a start may take, in seconds: on a machine that is slower than any we know. */
static uint64_t person_limit_s(void)
{
	const char *text = getenv("SBX_START_LIMIT");
	uint64_t seconds;

	return text && text_parse_number(text, 1, 3600, &seconds) == 0 ? seconds : 0;
}

static int start(struct life *life, const char *name, struct err *err)
{
	enum shelf shelf = life->is_start ? SHELF_STARTS : SHELF_SANDBOXES;
	int listener;
	int r = place_open(&life->place, shelf, name, &life->sandbox, err);

	life->start_limit_s = person_limit_s();
	r = r < 0 ? r : place_check_room(&life->place, err);
	r = r < 0 ? r : keep_log(life, err);
	r = r < 0 ? r : folders_open(life, err);
	if (r == 0 && network_find(&life->network, &life->place) < 0)
		r = err_set(err, -ENOMEM, "cannot find the settings of the network");
	r = r < 0 ? r : give_up(life, err);
	if (r < 0)
		return r;
	(void)jail_environment();
	r = uv_loop_init(&life->loop);
	if (r < 0)
		return err_set(err, r, "cannot set up the event loop: %s", uv_strerror(r));
	listener = place_listen(&life->place, err);
	r = listener < 0 ? listener : watch(life, listener, err);
	if (r == 0 && !life->is_start)
		network_start(&life->network, &life->loop, &life->shares, &requests_network_ops, life);
	life->since = time(NULL);
	return r < 0 ? r : launch_begin(life, err);
}

int main(int argc, char **argv)
{
	static struct life life = {.starter = {.fd = SUPERVISOR_STARTER_FD},
				   .memfd = -1,
				   .saved_dir = -1,
				   .own_files = JOB_NONE,
				   .differ_file = -1};
	struct err err = {.text = ""};

	log_open("sbx-supervisor");
	signal(SIGPIPE, SIG_IGN);
	if (argc < 3 || argc > 4 || jail_descriptors(SUPERVISOR_FDS) < 0) {
		log_line("this program is started by sbx");
		return 2;
	}
	folders_take(&life);
	life.has_layer = fcntl(SUPERVISOR_LAYER_FD, F_GETFD) >= 0;
	life.template_id = argv[2];
	life.is_start = argc == 4 && strcmp(argv[3], "start") == 0;
	life.starter.is_kept = argc == 4 && !life.is_start;
	if (start(&life, argv[1], &err) < 0) {
		/* The loop is not there yet, or not whole; the process's end closes everything. */
		log_line("the start failed: %s", err.text);
		starter_end(&life.starter, err.text);
		return EXIT_FAILURE;
	}
	uv_run(&life.loop, UV_RUN_DEFAULT);
	/* Without waiting for a thread that works for a machine which is gone. */
	_exit(EXIT_SUCCESS);
}
