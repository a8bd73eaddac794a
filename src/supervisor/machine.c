/*
 * How it works
 *   engine --qmp--> here: commands to the engine; hostile answers are parsed strictly (engine/qmp.h).
 *   engine --control port, console, errors--> link: everything that the guest writes is read there.
 *   link --channel--> here: small fixed messages.
 *   A link that ends is replaced; the new one finds its place in the stream by the port's handshake. An
 * engine that ends takes the machine with it. Both die with this process.
 */
#include "supervisor/machine.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/paths.h"
#include "base/spawn.h"
#include "base/text.h"
#include "link/link.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

enum {
	LINK_RESTARTS_MAX = 5,
	LINK_STEADY_MS = 10000, /* a link that has lived so long may be restarted afresh */
	QUIT_LIMIT_MS = 5000,
	ANSWER_LIMIT_MS = 30000,
};

static int make_pair(int type, int *ret_ours, int *ret_theirs)
{
	int pair[2];

	if (socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	*ret_ours = pair[0];
	*ret_theirs = pair[1];
	return 0;
}

static int watch_child(struct machine *machine, pid_t pid, uv_poll_t *watch, int *ret_pidfd,
		       uv_poll_cb on_end)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);
	int r;

	if (fd < 0)
		return -errno;
	*ret_pidfd = fd;
	r = uv_poll_init(machine->loop, watch, fd);
	watch->data = machine;
	return r < 0 ? r : uv_poll_start(watch, UV_READABLE, on_end);
}

static void close_watch(uv_poll_t *watch, int *fd)
{
	if (*fd < 0)
		return;
	uv_poll_stop(watch);
	uv_close((uv_handle_t *)watch, NULL);
	close(steal_fd(fd));
}

/* ---- link ---- */

static int start_link(struct machine *machine, struct err *err);

static void end_link(struct machine *machine)
{
	if (machine->link <= 0)
		return;
	kill(machine->link, SIGKILL);
	waitpid(machine->link, NULL, 0);
	machine->link = 0;
	close_watch(&machine->channel_watch, &machine->channel);
	close_watch(&machine->link_watch, &machine->link_pidfd);
}

static bool engine_has_ended(struct machine *machine)
{
	siginfo_t info = {0};

	return machine->engine <= 0 ||
	       (waitid(P_PID, (id_t)machine->engine, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
		info.si_pid != 0);
}

static void lose_link(struct machine *machine);

static void on_answer_timer(uv_timer_t *timer)
{
	struct machine *machine = timer->data;

	log_line("the guest does not answer the new link");
	lose_link(machine);
}

static void replace_link(uv_timer_t *timer)
{
	struct machine *machine = timer->data;
	struct err err;

	uv_close((uv_handle_t *)timer, (uv_close_cb)free);
	if (machine->is_ending || engine_has_ended(machine))
		return;
	if (clock_ms() - machine->link_started_ms > LINK_STEADY_MS)
		machine->link_restarts = 0;
	if (++machine->link_restarts > LINK_RESTARTS_MAX)
		machine_quit(machine, "its link to the guest failed again and again");
	else if (start_link(machine, &err) < 0)
		machine_quit(machine, "its link to the guest could not be started again");
	else if (machine->was_ready)
		uv_timer_start(&machine->answer_timer, on_answer_timer, ANSWER_LIMIT_MS, 0);
}

/* Not from inside the callback of a handle that is being closed: on the loop's next turn. */
static void lose_link(struct machine *machine)
{
	uv_timer_t *timer;

	end_link(machine);
	timer = machine->is_ending ? NULL : calloc(1, sizeof(*timer));
	if (!timer)
		return;
	uv_timer_init(machine->loop, timer);
	timer->data = machine;
	uv_timer_start(timer, replace_link, 0, 0);
}

static void on_link_end(uv_poll_t *watch, int status, int events)
{
	struct machine *machine = watch->data;
	siginfo_t info = {0};

	(void)status, (void)events;
	if (!machine->is_ending &&
	    waitid(P_PID, (id_t)machine->link, &info, WEXITED | WNOHANG | WNOWAIT) == 0)
		log_line("the link ended with %s %d", info.si_code == CLD_EXITED ? "status" : "signal",
			 info.si_status);
	lose_link(machine);
}

static void on_kill_timer(uv_timer_t *timer)
{
	struct machine *machine = timer->data;

	if (machine->engine > 0)
		kill(machine->engine, SIGKILL);
}

/* The engine has closed its ports, so it is ending: another link would find nothing. */
static void expect_end(struct machine *machine)
{
	machine->is_ending = true;
	uv_timer_start(&machine->kill_timer, on_kill_timer, QUIT_LIMIT_MS, 0);
}

static void take(struct machine *machine, const struct chan_message *message)
{
	switch (message->kind) {
	case CHAN_READY:
		machine->is_ready = machine->was_ready = true;
		uv_timer_stop(&machine->answer_timer);
		machine->ops->on_ready(machine->owner);
		return;
	case CHAN_REPLY:
		machine->ops->on_reply(machine->owner, message->id, message->code,
				       slice_of(message->body, message->body_len));
		return;
	case CHAN_LOST:
		if (message->code != 0)
			expect_end(machine);
		else if (!machine->is_ending)
			log_line("the link is lost: %s", message->body);
		return;
	default:
		break;
	}
	lose_link(machine);
}

static void on_channel(uv_poll_t *watch, int status, int events)
{
	struct machine *machine = watch->data;
	struct chan_message message;
	int fd = -1;
	int r = status < 0 ? status : chan_receive(machine->channel, &message, &fd);

	(void)events;
	if (r == -EAGAIN)
		return;
	if (fd >= 0)
		close(fd); /* a link has none to give */
	/* Its end is seen by its process's. */
	if (r < 0)
		lose_link(machine);
	else if (r == 0)
		uv_poll_stop(watch);
	else
		take(machine, &message);
}

static int spawn_link(struct machine *machine, int channel, struct err *err)
{
	static const char *const argv[] = {"sbx-link", NULL};
	char program[PATH_ROOM_BYTES];
	struct spawn spawn = {
		.program = program,
		.argv = argv,
		.fds = {-1, -1,
			STDERR_FILENO, [LINK_CHANNEL_FD] = channel, [LINK_CONTROL_FD] = machine->control,
			[LINK_CONSOLE_FD] = machine->console, [LINK_CONSOLE_LOG_FD] = machine->console_log,
			[LINK_ENGINE_FD] = machine->engine_errors,
			[LINK_ENGINE_LOG_FD] = machine->engine_log},
		.n_fds = LINK_FDS,
		.death_signal = SIGKILL,
	};
	int r = paths_program("sbx-link", program, err);

	return r < 0 ? r : spawn_start(&spawn, &machine->link, err);
}

static int start_link(struct machine *machine, struct err *err)
{
	autofd int theirs = -1;
	int r = make_pair(SOCK_SEQPACKET, &machine->channel, &theirs);

	machine->is_ready = false;
	machine->link_started_ms = clock_ms();
	if (r < 0)
		return err_errno(err, r, "cannot make a channel");
	r = fd_set_nonblock(machine->channel);
	r = r < 0 ? r : spawn_link(machine, theirs, err);
	if (r < 0) {
		close(steal_fd(&machine->channel));
		return r;
	}
	r = uv_poll_init(machine->loop, &machine->channel_watch, machine->channel);
	machine->channel_watch.data = machine;
	r = r < 0 ? r : uv_poll_start(&machine->channel_watch, UV_READABLE, on_channel);
	r = r < 0 ? r
		  : watch_child(machine, machine->link, &machine->link_watch, &machine->link_pidfd,
				on_link_end);
	return r < 0 ? err_errno(err, r, "cannot watch the link") : 0;
}

/* ---- engine ---- */

static void on_event(void *owner, const struct qmp_message *event)
{
	struct machine *machine = owner;

	machine->ops->on_event(machine->owner, event);
}

static void close_ports(int ports[ENGINE_SHARES])
{
	for (size_t i = 0; i < ENGINE_SHARES; i++)
		if (ports[i] >= 0)
			close(steal_fd(&ports[i]));
}

/* All of them, so that folders can be mounted while the machine runs. */
static int make_ports(int ours[ENGINE_SHARES], int theirs[ENGINE_SHARES])
{
	int r = 0;

	for (size_t i = 0; i < ENGINE_SHARES; i++)
		ours[i] = theirs[i] = -1;
	for (size_t i = 0; r == 0 && i < ENGINE_SHARES; i++)
		r = make_pair(SOCK_STREAM, &ours[i], &theirs[i]);
	return r;
}

static void on_engine_end(uv_poll_t *watch, int status, int events)
{
	struct machine *machine = watch->data;
	int how = 0;

	(void)status, (void)events;
	waitpid(machine->engine, &how, 0);
	machine->engine = 0;
	machine->was_killed = !machine->why && WIFSIGNALED(how);
	if (!machine->why && (!WIFEXITED(how) || WEXITSTATUS(how) != 0))
		machine->why = "its engine failed";
	machine->is_ending = true;
	close_watch(&machine->engine_watch, &machine->engine_pidfd);
	monitor_close(&machine->monitor);
	end_link(machine);
	close(steal_fd(&machine->control));
	close(steal_fd(&machine->console));
	close(steal_fd(&machine->engine_errors));
	close_ports(machine->shares);
	close(steal_fd(&machine->network));
	uv_close((uv_handle_t *)&machine->kill_timer, NULL);
	uv_close((uv_handle_t *)&machine->answer_timer, NULL);
	machine->ops->on_end(machine->owner, machine->why);
}

static int start_engine(struct machine *machine, const struct engine_machine *kind,
			const struct machine_files *files, struct err *err)
{
	autofd int monitor = -1, qmp = -1, console = -1, control = -1, network = -1, errors = -1;
	struct engine_files engine = {.kernel = files->kernel,
				      .initramfs = files->initramfs,
				      .base = files->base,
				      .layer = files->layer,
				      .disk = files->disk,
				      .memory = files->memory};
	int pipe_fds[2];
	int r = make_pair(SOCK_STREAM, &monitor, &qmp);

	r = r < 0 ? r : make_pair(SOCK_STREAM, &machine->console, &console);
	r = r < 0 ? r : make_pair(SOCK_STREAM, &machine->control, &control);
	r = r < 0 ? r : make_pair(SOCK_STREAM, &machine->network, &network);
	if (r == 0 && pipe2(pipe_fds, O_CLOEXEC) < 0)
		r = -errno;
	if (r < 0)
		return err_errno(err, r, "cannot make the engine's sockets");
	machine->engine_errors = pipe_fds[0];
	errors = pipe_fds[1];
	engine.qmp = qmp;
	engine.console = console;
	engine.control = control;
	engine.network = network;
	engine.errors = errors;
	r = make_ports(machine->shares, engine.share);
	r = r < 0 ? err_errno(err, r, "cannot make the engine's sockets")
		  : engine_start(kind, &engine, &machine->engine, err);
	close_ports(engine.share);
	if (r < 0)
		return r;
	r = monitor_open(&machine->monitor, machine->loop, steal_fd(&monitor), on_event, machine);
	return r < 0 ? err_errno(err, r, "cannot talk to the engine") : 0;
}

int machine_start(struct machine *machine, uv_loop_t *loop, const struct engine_machine *kind,
		  const struct machine_files *files, const struct machine_ops *ops, void *owner,
		  struct err *err)
{
	int r;

	*machine = (struct machine){.loop = loop,
				    .ops = ops,
				    .owner = owner,
				    .engine_pidfd = -1,
				    .link_pidfd = -1,
				    .channel = -1,
				    .control = -1,
				    .console = -1,
				    .engine_errors = -1,
				    .monitor = {.fd = -1},
				    .console_log = files->console_log,
				    .engine_log = files->engine_log};
	uv_timer_init(loop, &machine->kill_timer);
	uv_timer_init(loop, &machine->answer_timer);
	machine->kill_timer.data = machine->answer_timer.data = machine;
	r = start_engine(machine, kind, files, err);
	if (r < 0)
		return r;
	r = watch_child(machine, machine->engine, &machine->engine_watch, &machine->engine_pidfd,
			on_engine_end);
	if (r < 0)
		return err_errno(err, r, "cannot watch the engine");
	return start_link(machine, err);
}

/* ---- orders ---- */

static int request(const struct machine *machine, uint32_t id, struct slice text, int file)
{
	return machine->is_ready && machine->channel >= 0
		       ? chan_send(machine->channel, CHAN_REQUEST, id, 0, text, file)
		       : -ENOTCONN;
}

int machine_request(struct machine *machine, uint32_t id, const char *head, struct slice body)
{
	auto_buf struct buf text = {0};
	int r = buf_append(&text, slice_text(head));

	r = r < 0 ? r : buf_append(&text, body);
	return r < 0 ? r : request(machine, id, buf_slice(&text), -1);
}

int machine_request_file(struct machine *machine, uint32_t id, const char *head, int file)
{
	return request(machine, id, slice_text(head), file);
}

int machine_stream(struct machine *machine, const char *path, int fd)
{
	if (!machine->is_ready || machine->channel < 0)
		return -ENOTCONN;
	return chan_send(machine->channel, CHAN_STREAM, 0, 0, slice_text(path), fd);
}

void machine_continue(struct machine *machine)
{
	(void)monitor_ask(&machine->monitor, "cont", NULL, -1, NULL, NULL);
}

void machine_quit(struct machine *machine, const char *why)
{
	if (machine->is_ending || machine->engine <= 0)
		return;
	machine->is_ending = true;
	machine->why = why;
	if (monitor_ask(&machine->monitor, "quit", NULL, -1, NULL, NULL) < 0)
		kill(machine->engine, SIGKILL);
	uv_timer_start(&machine->kill_timer, on_kill_timer, QUIT_LIMIT_MS, 0);
}

void machine_kill(struct machine *machine, const char *why)
{
	if (machine->engine <= 0)
		return;
	machine->is_ending = true;
	machine->why = why;
	kill(machine->engine, SIGKILL);
}
