#include "guest/exec.h"

#include "base/fd.h"
#include "base/file.h"
#include "guest/command.h"
#include "guest/environment.h"
#include "guest/terminal.h"
#include "guest/trust.h"
#include "wire/control.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>

enum { FAILED_STATUS = 1, NOT_RUNNABLE_STATUS = 126, NOT_FOUND_STATUS = 127, ENVIRONMENT_MAX_BYTES = 65536 };

static const char default_path[] =
	"PATH=/home/agent/.local/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
static const char workspace[] = "/home/agent/workspace";

/* ---- to the viewer ---- */

void exec_send(struct exec *exec, enum frame_kind kind, struct slice body)
{
	auto_buf struct buf frame = {0};

	if (!exec->stream || exec->is_over)
		return;
	if (frame_append(&frame, kind, body) < 0 || h2_send(exec->stream, buf_slice(&frame)) < 0)
		h2_reset(exec->stream);
}

void exec_started(struct exec *exec, pid_t pid, bool is_joined)
{
	unsigned char body[5] = {(unsigned char)(pid >> 24), (unsigned char)(pid >> 16 & 0xff),
				 (unsigned char)(pid >> 8 & 0xff), (unsigned char)(pid & 0xff), is_joined};

	exec_send(exec, FRAME_STARTED, slice_of(body, sizeof(body)));
}

static void end(struct exec *exec)
{
	exec->is_over = true;
	if (exec->stream)
		h2_end(exec->stream);
}

void exec_finish(struct exec *exec, int status)
{
	char body = (char)status;

	exec_send(exec, FRAME_EXIT, slice_of(&body, 1));
	end(exec);
}

void exec_fail(struct exec *exec, int status, const char *format, ...)
{
	auto_buf struct buf body = {0};
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (buf_printf(&body, "%c%s", status, text) == 0)
		exec_send(exec, FRAME_FAILED, buf_slice(&body));
	end(exec);
}

void exec_fail_start(struct exec *exec, enum child_step step, int error)
{
	const char *program = exec->argv.items[0];

	switch (step) {
	case CHILD_PROGRAM:
		exec_fail(exec, error == ENOENT ? NOT_FOUND_STATUS : NOT_RUNNABLE_STATUS,
			  "cannot run '%.200s': %s", program,
			  error == ENOENT ? "there is no such program in the sandbox" : strerror(error));
		return;
	case CHILD_DIR:
		exec_fail(exec, FAILED_STATUS, "cannot work in '%.200s': %s",
			  exec->dir ? exec->dir : workspace, strerror(error));
		return;
	case CHILD_USER:
		exec_fail(exec, FAILED_STATUS, "cannot become '%.64s': %s", exec->user ? exec->user : "agent",
			  strerror(error));
		return;
	case CHILD_SETUP:
	case CHILD_RUNNING:
		exec_fail(exec, FAILED_STATUS, "cannot start '%.200s': %s", program, strerror(error));
		return;
	}
}

bool exec_has_room(const struct exec *exec)
{
	return exec->stream && h2_queued(exec->stream) < GUEST_QUEUED_MAX_BYTES;
}

void exec_took_input(struct exec *exec)
{
	if (exec->stream && exec->unconsumed > 0)
		h2_consume(exec->stream, exec->unconsumed);
	exec->unconsumed = 0;
}

/* ---- its description ---- */

static int keep_text(char **slot, struct slice text)
{
	char *copy = strndup(text.ptr, text.len);

	if (!copy)
		return -ENOMEM;
	free(*slot);
	*slot = copy;
	return 0;
}

static int describe(struct exec *exec, const struct frame *frame)
{
	switch (frame->kind) {
	case FRAME_ARG:
		return strings_add(&exec->argv, frame->body);
	case FRAME_ENV:
		return strings_set(&exec->env, frame->body);
	case FRAME_USER:
		return keep_text(&exec->user, frame->body);
	case FRAME_DIR:
		return keep_text(&exec->dir, frame->body);
	case FRAME_SESSION:
		if (frame->body.len > CONTROL_SESSION_NAME_MAX_BYTES)
			return -EINVAL;
		return keep_text(&exec->session, frame->body);
	case FRAME_TERMINAL:
		exec->wants_terminal = true;
		exec->size = frame_size(frame->body);
		return 0;
	case FRAME_START:
	case FRAME_INPUT:
	case FRAME_INPUT_END:
	case FRAME_RESIZE:
	case FRAME_SIGNAL:
	case FRAME_STARTED:
	case FRAME_FAILED:
	case FRAME_OUTPUT:
	case FRAME_ERROR_OUTPUT:
	case FRAME_EXIT:
		break;
	}
	return -EPROTO;
}

static int read_text(const char *path, struct buf *ret)
{
	autofd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	return fd < 0 ? -errno : fd_read_all(fd, USERS_FILE_MAX_BYTES, ret);
}

static int find_user(const char *who, struct identity *ret, struct err *err)
{
	auto_buf struct buf passwd = {0};
	auto_buf struct buf group = {0};

	(void)read_text("/etc/passwd", &passwd);
	(void)read_text("/etc/group", &group);
	return users_find(buf_slice(&passwd), buf_slice(&group), who, ret, err);
}

/* Lines NAME=VALUE, perhaps in quotes, as pam_env reads them. */
static void add_environment_file(struct strings *env)
{
	auto_buf struct buf text = {0};
	char *save = NULL;

	if (read_text("/etc/environment", &text) < 0 || text.len > ENVIRONMENT_MAX_BYTES || !text.data)
		return;
	for (char *line = strtok_r(text.data, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char *value = strchr(line, '=');
		size_t len = value ? strlen(value + 1) : 0;

		if (line[0] == '#' || !value)
			continue;
		*value++ = '\0';
		if (len >= 2 && (value[0] == '"' || value[0] == '\'') && value[len - 1] == value[0]) {
			value[len - 1] = '\0';
			value++;
		}
		(void)strings_set_pair(env, line, value);
	}
}

static int make_env(struct exec *exec, const struct identity *identity, struct strings *ret)
{
	int r = strings_set(ret, slice_text(default_path));

	r = r < 0 ? r : strings_set_pair(ret, "HOME", identity->home);
	r = r < 0 ? r : strings_set_pair(ret, "USER", identity->name);
	r = r < 0 ? r : strings_set_pair(ret, "LOGNAME", identity->name);
	r = r < 0 ? r : strings_set_pair(ret, "SHELL", identity->shell);
	/* Those that do not look where Debian keeps what is trusted. */
	r = r < 0 ? r : strings_set(ret, slice_text("SSL_CERT_FILE=" TRUST_BUNDLE));
	r = r < 0 ? r : strings_set(ret, slice_text("NODE_EXTRA_CA_CERTS=" TRUST_BUNDLE));
	r = r < 0 ? r : strings_set(ret, slice_text("REQUESTS_CA_BUNDLE=" TRUST_BUNDLE));
	r = r < 0 ? r : strings_set(ret, slice_text("LANG=C.UTF-8"));
	if (exec->wants_terminal)
		r = r < 0 ? r : strings_set(ret, slice_text("TERM=xterm-256color"));
	add_environment_file(ret);
	r = r < 0 ? r : environment_add(ret);
	for (size_t i = 0; r == 0 && i < exec->env.count; i++)
		r = strings_set(ret, slice_text(exec->env.items[i]));
	return r;
}

int exec_plan(struct exec *exec, struct child_plan *plan, struct identity *identity)
{
	struct strings env = {0};
	struct err err;
	int r = find_user(exec->user ? exec->user : "agent", identity, &err);

	if (r < 0) {
		exec_fail(exec, FAILED_STATUS, "%s", err.text);
		return r;
	}
	r = make_env(exec, identity, &env);
	strings_done(&exec->env);
	exec->env = env;
	if (r < 0) {
		exec_fail(exec, FAILED_STATUS, "cannot make the environment: %s", strerror(-r));
		return r;
	}
	*plan = (struct child_plan){.argv = &exec->argv,
				    .env = &exec->env,
				    .user = identity,
				    .dir = exec->dir ? exec->dir : workspace,
				    .other_dir = identity->home,
				    .dir_required = exec->dir != NULL,
				    .listen_fd = -1,
				    .cgroup_fd = groups_of_commands(exec->guest->groups)};
	return 0;
}

/* ---- its life ---- */

static void start(struct exec *exec)
{
	exec->is_started = true;
	if (exec->guest->is_ending)
		exec_fail(exec, FAILED_STATUS, "the sandbox is shutting down");
	else if (exec->argv.count == 0 || exec->argv.items[0][0] == '\0')
		exec_fail(exec, NOT_FOUND_STATUS, "there is no command to run");
	else if (exec->wants_terminal)
		terminal_start(exec);
	else
		command_start(exec);
}

static void obey(struct exec *exec, const struct frame *frame)
{
	struct slice body = frame->body;

	if (exec->is_over)
		return;
	if (frame->kind == FRAME_INPUT && exec->command)
		command_input(exec->command, body);
	else if (frame->kind == FRAME_INPUT && exec->terminal)
		terminal_input(exec->terminal, body);
	else if (frame->kind == FRAME_INPUT_END && exec->command)
		command_input_end(exec->command);
	else if (frame->kind == FRAME_RESIZE && exec->terminal)
		terminal_resize(exec->terminal, frame_size(body));
	else if (frame->kind == FRAME_SIGNAL && exec->command)
		command_signal(exec->command, (unsigned char)body.ptr[0]);
	else if (frame->kind == FRAME_SIGNAL && exec->terminal)
		terminal_signal(exec->terminal, (unsigned char)body.ptr[0]);
}

static int take(struct exec *exec, const struct frame *frame)
{
	int r;

	if (!frame_is_for_guest(frame->kind))
		return -EPROTO;
	if (exec->is_started) {
		obey(exec, frame);
		return 0;
	}
	if (frame->kind == FRAME_START) {
		start(exec);
		return 0;
	}
	r = describe(exec, frame);
	if (r < 0 && r != -EPROTO) {
		exec->is_started = true;
		exec_fail(exec, FAILED_STATUS, "the command's description is refused: %s", strerror(-r));
		return 0;
	}
	return r;
}

static bool is_full(const struct exec *exec)
{
	return (exec->command && command_is_full(exec->command)) ||
	       (exec->terminal && terminal_is_full(exec->terminal));
}

static void on_data(struct handler *handler, struct h2_stream *stream, struct slice data)
{
	struct exec *exec = (struct exec *)handler;
	struct frame frame;
	enum parsed parsed;
	size_t used;

	exec->unconsumed += data.len;
	if (buf_append(&exec->in, data) < 0) {
		h2_reset(stream);
		return;
	}
	while ((parsed = frame_parse(buf_slice(&exec->in), &frame, &used)) == PARSED_OK) {
		if (take(exec, &frame) < 0)
			parsed = PARSED_BAD;
		buf_drop(&exec->in, used);
		if (parsed == PARSED_BAD)
			break;
	}
	if (parsed == PARSED_BAD)
		h2_reset(stream);
	else if (!is_full(exec))
		exec_took_input(exec);
}

static void on_drain(struct handler *handler)
{
	struct exec *exec = (struct exec *)handler;

	if (exec->command)
		command_drained(exec->command);
	else if (exec->terminal)
		terminal_drained(exec->terminal);
}

/* The caller is gone: its command ends, its terminal may live on. */
static void on_close(struct handler *handler)
{
	struct exec *exec = (struct exec *)handler;

	exec->stream = NULL;
	if (exec->command)
		command_abandon(exec->command);
	if (exec->terminal)
		terminal_leave(exec->terminal, exec);
	buf_done(&exec->in);
	strings_done(&exec->argv);
	strings_done(&exec->env);
	free(exec->user);
	free(exec->dir);
	free(exec->session);
	free(exec);
}

int exec_new(struct guest *guest, struct h2_stream *stream)
{
	static const struct handler_ops ops = {
		.on_data = on_data, .on_drain = on_drain, .on_close = on_close};
	struct exec *exec = calloc(1, sizeof(*exec));

	if (!exec)
		return -ENOMEM;
	exec->handler.ops = &ops;
	exec->guest = guest;
	exec->stream = stream;
	h2_set_data(stream, &exec->handler);
	return h2_respond(stream, 200);
}
