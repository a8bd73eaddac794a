#include "cli/supervise.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/spawn.h"
#include "base/text.h"
#include "supervisor/supervisor.h"

#include <assert.h>
#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>

enum { KILL_LIMIT_MS = 10000, LINE_MAX_BYTES = 65536, REDRAW_MS = 500 };

/* Only what says where the state is, and how the host reaches others; nothing else of the user's environment
 * reaches a supervisor. */
static size_t pick_env(const char **into, char (*room)[PATH_ROOM_BYTES], size_t max)
{
	static const char *const names[] = {"SBX_HOME",        "HOME",           "XDG_CONFIG_HOME",
					    "XDG_DATA_HOME",   "XDG_CACHE_HOME", "XDG_RUNTIME_DIR",
					    "SBX_START_LIMIT", "SSL_CERT_FILE",  "HTTPS_PROXY",
					    "https_proxy",     "HTTP_PROXY",     "http_proxy",
					    "NO_PROXY",        "no_proxy"};
	size_t count = 0;

	for (size_t i = 0; i < array_len(names) && count + 1 < max; i++) {
		const char *value = getenv(names[i]);

		if (!value ||
		    snprintf(room[count], PATH_ROOM_BYTES, "%s=%s", names[i], value) >= PATH_ROOM_BYTES)
			continue;
		into[count] = room[count];
		count++;
	}
	into[count] = NULL;
	return count;
}

static_assert((int)SUPERVISOR_FDS <= (int)SPAWN_FDS_MAX, "a supervisor gets all of its descriptors");

static int spawn_supervisor(const struct supervise *call, int starter, pid_t *ret_pid, struct err *err)
{
	const char *const argv[] = {"sbx-supervisor", call->name, call->template->id,
				    call->is_start   ? "start"
				    : call->ret_bond ? "bound"
						     : NULL,
				    NULL};
	static char room[15][PATH_ROOM_BYTES];
	const char *env[16];
	char program[PATH_ROOM_BYTES];
	struct spawn spawn = {
		.program = program,
		.argv = argv,
		.env = env,
		.fds = {-1, -1, -1, [SUPERVISOR_STARTER_FD] = starter,
			[SUPERVISOR_KERNEL_FD] = call->template->kernel,
			[SUPERVISOR_INITRAMFS_FD] = call->template->initramfs,
			[SUPERVISOR_BASE_FD] = call->template->base,
			[SUPERVISOR_LAYER_FD] = call->template->layer, [SUPERVISOR_MEMORY_FD] = call->memory},
		.n_fds = SUPERVISOR_FDS,
		.is_leader = true,
	};
	int r = paths_program("sbx-supervisor", program, err);

	for (int i = 0; i < ENGINE_SHARES; i++)
		spawn.fds[SUPERVISOR_SHARE_FD + i] = call->shares ? call->shares[i] : -1;
	pick_env(env, room, array_len(env));
	return r < 0 ? r : spawn_start(&spawn, ret_pid, err);
}

struct wait {
	int fd;
	struct buf in;
	bool is_terminal, is_drawn;
	const char *name, *what;
	int64_t began_ms;
	char phase[64];
};

/* One line that is drawn over, on a terminal only: a start that goes well needs no words elsewhere. */
static void draw(struct wait *wait)
{
	int64_t seconds = (clock_ms() - wait->began_ms) / 1000;

	if (!wait->is_terminal || (seconds < 1 && !wait->is_drawn))
		return;
	wait->is_drawn = true;
	fprintf(stderr, "\r\033[K%s: %s (%lld s)", wait->what, wait->phase, (long long)seconds);
}

static void erase(struct wait *wait)
{
	if (wait->is_drawn)
		fputs("\r\033[K", stderr);
}

static void note(struct wait *wait, const char *text)
{
	auto_buf struct buf shown = {0};

	erase(wait);
	wait->is_drawn = false;
	if (text_printable(&shown, slice_text(text), false) == 0)
		log_line("%s", buf_text(&shown));
}

/* 1: ready; 0: go on; negative: failed. */
static int take_event(struct wait *wait, const char *line, size_t len, struct err *err)
{
	json_t *event = json_loadb(line, len, 0, NULL);
	const char *kind = json_string_value(json_object_get(event, "event"));
	const char *text = json_string_value(json_object_get(event, "text"));
	const char *error = json_string_value(json_object_get(event, "error"));
	int r = 0;

	if (kind && strcmp(kind, "ready") == 0)
		r = 1;
	else if (kind && strcmp(kind, "failed") == 0)
		r = err_set(err, -EREMOTEIO, "%s", error ? error : "the start failed");
	else if (kind && text && strcmp(kind, "note") == 0)
		note(wait, text);
	else if (text)
		snprintf(wait->phase, sizeof(wait->phase), "%s", text);
	json_decref(event);
	return r;
}

static int take_events(struct wait *wait, struct err *err)
{
	const char *end;
	int r = 0;

	while (r == 0 && (end = memchr(buf_text(&wait->in), '\n', wait->in.len))) {
		size_t len = (size_t)(end - buf_text(&wait->in));

		r = take_event(wait, buf_text(&wait->in), len, err);
		buf_drop(&wait->in, len + 1);
	}
	return r;
}

/* The supervisor has limits of its own and ends its side of the socket with itself, so this wait ends. */
static int wait_ready(struct wait *wait, struct err *err)
{
	int r = 0;

	while (r == 0) {
		struct pollfd readable = {.fd = wait->fd, .events = POLLIN};
		ssize_t count;

		draw(wait);
		if (poll(&readable, 1, REDRAW_MS) <= 0)
			continue;
		count = buf_read_fd(&wait->in, wait->fd, LINE_MAX_BYTES);
		if (count <= 0)
			return err_set(err, -EPIPE, "the supervisor of sandbox '%s' ended during the start",
				       wait->name);
		r = take_events(wait, err);
	}
	return r < 0 ? r : 0;
}

int supervise(const struct supervise *call, struct err *err)
{
	autofd int ours = -1, theirs = -1;
	struct wait wait = {.name = call->name,
			    .what = call->what ? call->what : call->name,
			    .began_ms = clock_ms(),
			    .phase = "starting",
			    .is_terminal = isatty(STDERR_FILENO)};
	int pair[2], status;
	pid_t pid;
	int r;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return err_errno(err, -errno, "cannot make a socket");
	ours = pair[0];
	theirs = pair[1];
	r = spawn_supervisor(call, theirs, &pid, err);
	if (r < 0)
		return r;
	close(steal_fd(&theirs));
	wait.fd = ours;
	r = wait_ready(&wait, err);
	erase(&wait);
	buf_done(&wait.in);
	/* A start that failed is over when its supervisor is gone, and with it the lock on the sandbox; so is
	 * the making of a start state. */
	if (r < 0 || call->is_start)
		(void)spawn_wait(pid, KILL_LIMIT_MS, &status);
	if (r == 0 && call->ret_bond)
		*call->ret_bond = steal_fd(&ours);
	return r;
}
