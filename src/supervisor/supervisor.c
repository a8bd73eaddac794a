/*
 * One sandbox's life, from its start to its end. Interprets nothing that a guest has written: the link does
 * that.
 *
 * How it works
 *   STARTING  the engine boots; the guest answers through the link; it is told what only the host knows
 *   RUNNING   commands come in on the control socket and are handed to the link
 *   STOPPING  the guest shuts down and the engine ends, or is ended after a limit
 *   The process ends with its engine. The lock on the sandbox's folder goes with the process, however it
 * dies, and the roles die with it.
 */
#include "supervisor/supervisor.h"

#include "base/fd.h"
#include "base/jail.h"
#include "base/log.h"
#include "base/text.h"
#include "supervisor/control.h"
#include "supervisor/machine.h"
#include "supervisor/place.h"
#include "wire/control.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/random.h>
#include <time.h>

enum {
	START_LIMIT_TCG_MS = 180000,
	START_LIMIT_KVM_MS = 60000,
	STOP_LIMIT_MS = 30000,
	ENTROPY_BYTES = 64,
	LOOK_FOR_SPACE_MS = 2000,
	FILES_MAX = 4096,
};

enum request_id { REQUEST_RESUME = 1, REQUEST_SHUTDOWN };

enum phase { STARTING, RUNNING, STOPPING };

static const char *const phase_names[] = {
	[STARTING] = "starting", [RUNNING] = "running", [STOPPING] = "stopping"};

struct supervisor {
	uv_loop_t loop;
	uv_timer_t limit; /* of the start, then of the stop */
	uv_timer_t space; /* looks for space while there was none */
	bool is_full;     /* the host's disk is: the machine is paused until there is space again */
	uv_poll_t starter;
	uv_signal_t terminate;
	struct control control;
	struct machine machine;
	struct sandbox sandbox;
	struct place place;
	struct engine_machine kind;
	enum phase phase;
	int starter_fd; /* -1 once the start is over */
	int64_t since;
	uint64_t start_limit_s; /* 0: the limits above */
};

static void tell_starter(struct supervisor *self, json_t *event)
{
	char *text = event ? json_dumps(event, JSON_COMPACT) : NULL;
	auto_buf struct buf line = {0};

	if (text && self->starter_fd >= 0 && buf_printf(&line, "%s\n", text) == 0)
		(void)fd_send(self->starter_fd, buf_slice(&line), NULL, 0);
	free(text);
	json_decref(event);
}

static void forget_starter(struct supervisor *self)
{
	if (self->starter_fd < 0)
		return;
	uv_poll_stop(&self->starter);
	uv_close((uv_handle_t *)&self->starter, NULL);
	close(steal_fd(&self->starter_fd));
}

static json_t *failure(const char *why)
{
	return json_pack("{s:s, s:s}", "event", "failed", "error", why);
}

static void fail_start(struct supervisor *self, const char *why)
{
	log_line("the start failed: %s", why);
	tell_starter(self, failure(why));
	forget_starter(self);
}

/* ---- what the machine reports ---- */

/* What only the host knows, said before any program of the user's runs. */
static int tell_guest(struct supervisor *self)
{
	unsigned char entropy[ENTROPY_BYTES];
	auto_buf struct buf body = {0};
	struct timespec now;
	int r;

	if (getrandom(entropy, sizeof(entropy), 0) != sizeof(entropy))
		return -EIO;
	clock_gettime(CLOCK_REALTIME, &now);
	r = buf_printf(&body, "time %lld.%09ld\nhostname %s\nmachine-id %s\nentropy ", (long long)now.tv_sec,
		       now.tv_nsec, self->sandbox.name, self->sandbox.machine_id);
	for (size_t i = 0; r == 0 && i < sizeof(entropy); i++)
		r = buf_printf(&body, "%02x", entropy[i]);
	r = r < 0 ? r : buf_append(&body, slice_text("\n"));
	return r < 0 ? r
		     : machine_request(&self->machine, REQUEST_RESUME, "POST " CONTROL_RESUME "\n",
				       buf_slice(&body));
}

static void on_ready(void *owner)
{
	struct supervisor *self = owner;

	if (self->phase != STARTING)
		return;
	tell_starter(self, json_pack("{s:s, s:s}", "event", "phase", "text", "the guest answers"));
	if (tell_guest(self) < 0)
		machine_kill(&self->machine, "the guest could not be told its name");
}

static void on_limit(uv_timer_t *timer)
{
	struct supervisor *self = timer->data;

	if (self->phase == STARTING)
		machine_kill(&self->machine, "the guest did not answer in time");
	else
		machine_quit(&self->machine, NULL);
}

static void on_reply(void *owner, uint32_t id, unsigned status)
{
	struct supervisor *self = owner;

	if (id == REQUEST_RESUME && self->phase == STARTING) {
		if (status != 204) {
			machine_kill(&self->machine, "the guest refused its settings");
			return;
		}
		uv_timer_stop(&self->limit);
		self->phase = RUNNING;
		tell_starter(self, json_pack("{s:s}", "event", "ready"));
		forget_starter(self);
	} else if (id == REQUEST_SHUTDOWN && status != 204 && status != 200) {
		machine_quit(&self->machine, NULL);
	}
}

static void explain(struct supervisor *self, const char *why, struct buf *into)
{
	char path[PLACE_PATH_BYTES];

	(void)buf_printf(into, "sandbox '%s' did not start: %s", self->sandbox.name,
			 why ? why : "its machine switched itself off");
	place_last_words(&self->place, "engine.log", into);
	place_last_words(&self->place, "console.log", into);
	(void)buf_printf(into, "; what its console said is in %s", place_keep_console(&self->place, path));
}

static void on_end(void *owner, const char *why)
{
	struct supervisor *self = owner;
	auto_buf struct buf text = {0};

	if (self->phase == STARTING) {
		explain(self, why, &text);
		fail_start(self, buf_text(&text));
	} else if (why) {
		log_line("the sandbox has ended: %s", why);
	}
	place_unlisten(&self->place);
	control_stopped(&self->control, NULL);
	uv_stop(&self->loop);
}

/* No file system tells when it has space again. */
static void on_space(uv_timer_t *timer)
{
	struct supervisor *self = timer->data;

	if (place_has_room(&self->place))
		machine_continue(&self->machine);
}

static void on_pause(void *owner, bool is_paused)
{
	struct supervisor *self = owner;

	self->is_full = is_paused;
	if (is_paused) {
		log_line("the host's disk is full: the sandbox waits for space");
		uv_timer_start(&self->space, on_space, LOOK_FOR_SPACE_MS, LOOK_FOR_SPACE_MS);
	} else {
		uv_timer_stop(&self->space);
	}
}

/* ---- what clients and signals ask ---- */

static void stop(struct supervisor *self)
{
	if (self->phase == STOPPING)
		return;
	if (self->phase == STARTING) {
		machine_kill(&self->machine, "it was stopped");
		return;
	}
	self->phase = STOPPING;
	uv_timer_start(&self->limit, on_limit, STOP_LIMIT_MS, 0);
	if (machine_request(&self->machine, REQUEST_SHUTDOWN, "POST " CONTROL_SHUTDOWN "\n", slice_text("")) <
	    0)
		machine_quit(&self->machine, NULL);
}

static void on_stop(void *owner)
{
	stop(owner);
}

static void on_terminate(uv_signal_t *signal, int number)
{
	(void)number;
	stop(signal->data);
}

static json_t *on_status(void *owner)
{
	struct supervisor *self = owner;

	return json_pack("{s:b, s:s, s:s, s:s, s:I, s:{s:i, s:i, s:i}}", "ok", 1, "state",
			 self->is_full ? "disk full" : phase_names[self->phase], "agent", self->sandbox.agent,
			 "accel", engine_accel_name(self->kind.accel), "since", (json_int_t)self->since,
			 "pids", "supervisor", (int)getpid(), "engine", (int)self->machine.engine, "link",
			 (int)self->machine.link);
}

/* Asked with -1 first: may it be done? */
static int on_exec(void *owner, int fd, struct err *err)
{
	struct supervisor *self = owner;
	const char *name = self->sandbox.name;

	if (self->is_full)
		return err_set(err, -ENOSPC,
			       "the disk that holds sandbox '%s' is full: free some space, then it goes on",
			       name);
	if (self->phase != RUNNING)
		return err_set(err, -EAGAIN, "sandbox '%s' is %s: try again in a moment", name,
			       phase_names[self->phase]);
	if (!self->machine.is_ready)
		return err_set(err, -EAGAIN, "the connection to sandbox '%s' is being made anew: try again",
			       name);
	return fd < 0 ? 0 : machine_stream(&self->machine, CONTROL_EXEC, fd);
}

/* The starter says nothing; its end tells that it has changed its mind. */
static void on_starter(uv_poll_t *poll, int status, int events)
{
	struct supervisor *self = poll->data;

	(void)status, (void)events;
	forget_starter(self);
	machine_kill(&self->machine, "the command that started it was interrupted");
}

/* ---- start ---- */

/* What this process and its link have to say, for whoever looks into a start that went wrong. */
static int keep_log(struct supervisor *self, struct err *err)
{
	autofd int fd = place_log(&self->place, "supervisor.log", err);

	if (fd < 0)
		return fd;
	return dup2(fd, STDERR_FILENO) < 0 ? err_errno(err, -errno, "cannot keep a log") : 0;
}

static int start_machine(struct supervisor *self, struct err *err)
{
	static const struct machine_ops ops = {
		.on_ready = on_ready, .on_reply = on_reply, .on_pause = on_pause, .on_end = on_end};
	autofd int disk = openat(self->place.dir, "disk.img", O_RDWR | O_NOFOLLOW | O_CLOEXEC);
	struct machine_files files = {.kernel = SUPERVISOR_KERNEL_FD,
				      .initramfs = SUPERVISOR_INITRAMFS_FD,
				      .base = SUPERVISOR_BASE_FD,
				      .disk = disk};
	struct engine_probe probe;
	int r;

	if (disk < 0)
		return err_errno(err, -errno, "cannot open the disk of sandbox '%s'", self->sandbox.name);
	files.console_log = place_log(&self->place, "console.log", err);
	files.engine_log = files.console_log < 0 ? -1 : place_log(&self->place, "engine.log", err);
	if (files.engine_log < 0)
		return files.engine_log;
	r = engine_probe(&self->place.paths, &probe, err);
	if (r < 0)
		return r;
	self->kind =
		(struct engine_machine){.accel = probe.verdict == ENGINE_KVM_GOOD ? ENGINE_KVM : ENGINE_TCG,
					.cpus = self->sandbox.cpus,
					.memory_mib = self->sandbox.memory_mib};
	return machine_start(&self->machine, &self->loop, &self->kind, &files, &ops, self, err);
}

static int watch(struct supervisor *self, int listener, struct err *err)
{
	static const struct control_ops ops = {
		.on_status = on_status, .on_exec = on_exec, .on_stop = on_stop};
	int r = control_start(&self->control, &self->loop, listener, &ops, self);

	r = r < 0 ? r : uv_timer_init(&self->loop, &self->limit);
	r = r < 0 ? r : uv_timer_init(&self->loop, &self->space);
	r = r < 0 ? r : uv_signal_init(&self->loop, &self->terminate);
	r = r < 0 ? r : uv_poll_init(&self->loop, &self->starter, self->starter_fd);
	if (r < 0)
		return err_set(err, r, "cannot set up the event loop: %s", uv_strerror(r));
	self->limit.data = self->space.data = self->terminate.data = self->starter.data = self;
	uv_signal_start(&self->terminate, on_terminate, SIGTERM);
	uv_poll_start(&self->starter, UV_READABLE | UV_DISCONNECT, on_starter);
	return 0;
}

/*
 * Its roles inherit what is given up here, and give up more. What stays: the sandbox's own folder, the
 * folders of sockets and of what can be made again, programs and libraries.
 */
static int give_up(struct supervisor *self, struct err *err)
{
	char programs[PATH_ROOM_BYTES];
	int r = paths_program("sbx-link", programs, err);
	const struct jail_rule rules[] = {
		{.fd = self->place.dir, .access = JAIL_READ | JAIL_WRITE},
		{.path = self->place.paths.run, .access = JAIL_READ | JAIL_WRITE},
		{.path = self->place.paths.cache, .access = JAIL_READ | JAIL_WRITE},
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

static uint64_t start_limit_ms(const struct supervisor *self)
{
	if (self->start_limit_s > 0)
		return self->start_limit_s * 1000;
	return self->kind.accel == ENGINE_KVM ? START_LIMIT_KVM_MS : START_LIMIT_TCG_MS;
}

static int start(struct supervisor *self, const char *name, struct err *err)
{
	int listener;
	int r = place_open(&self->place, name, &self->sandbox, err);

	self->start_limit_s = person_limit_s();
	r = r < 0 ? r : place_check_room(&self->place, err);
	r = r < 0 ? r : keep_log(self, err);
	r = r < 0 ? r : give_up(self, err);
	if (r < 0)
		return r;
	(void)jail_environment();
	r = uv_loop_init(&self->loop);
	if (r < 0)
		return err_set(err, r, "cannot set up the event loop: %s", uv_strerror(r));
	listener = place_listen(&self->place, err);
	r = listener < 0 ? listener : watch(self, listener, err);
	r = r < 0 ? r : start_machine(self, err);
	if (r < 0)
		return r;
	self->since = time(NULL);
	tell_starter(self, json_pack("{s:s, s:s}", "event", "phase", "text", "booting"));
	uv_timer_start(&self->limit, on_limit, start_limit_ms(self), 0);
	return 0;
}

int main(int argc, char **argv)
{
	static struct supervisor self = {.starter_fd = SUPERVISOR_STARTER_FD};
	struct err err = {.text = ""};

	log_open("sbx-supervisor");
	signal(SIGPIPE, SIG_IGN);
	if (argc != 2 || jail_descriptors(SUPERVISOR_FDS) < 0) {
		log_line("this program is started by sbx");
		return 2;
	}
	if (start(&self, argv[1], &err) < 0) {
		/* The loop is not there yet, or not whole; the process's end closes everything. */
		log_line("the start failed: %s", err.text);
		tell_starter(&self, failure(err.text));
		return EXIT_FAILURE;
	}
	uv_run(&self.loop, UV_RUN_DEFAULT);
	return EXIT_SUCCESS;
}
