/*
 * How it works
 *   The connection carries frames both ways. One poll loop moves bytes: standard input into INPUT frames
 * while little is waiting to be sent, OUTPUT frames to standard output as they come (blocking: a slow reader
 * holds back the guest). Signals arrive as bytes of a signalfd: a new window size becomes RESIZE, the others
 * SIGNAL for the command, which on a terminal sees its keys itself.
 */
#include "cli/exec.h"

#include "base/fd.h"
#include "base/text.h"
#include "cli/client.h"
#include "cli/terminal.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>

enum {
	ASK_LIMIT_MS = 10000,
	WAITING_MAX_BYTES = 256 << 10,
	LOST_STATUS = 125,
	DETACH_KEY = 0x1c, /* Ctrl-\ */
};

struct talk {
	int sock, signals, input; /* input is -1 when no more is to be read */
	int output, errors;
	uint64_t n_output, output_max_bytes;
	bool is_terminal, holds_detach_key;
	int status; /* -2 until it is known */
	struct buf in, out;
	char why[256]; /* the guest's sentence, made printable, where it refused */
};

enum { NOT_ENDED = -2 };

static int add_env(struct buf *out, char *const *env)
{
	int r = 0;

	for (; r == 0 && env && *env; env++)
		r = frame_append(out, FRAME_ENV, slice_text(*env));
	return r;
}

static int add_text(struct buf *out, enum frame_kind kind, const char *text)
{
	return text ? frame_append(out, kind, slice_text(text)) : 0;
}

static int describe(const struct exec *exec, struct buf *out)
{
	char term[80];
	int r = 0;

	for (const char *const *arg = exec->argv; r == 0 && *arg; arg++)
		r = frame_append(out, FRAME_ARG, slice_text(*arg));
	if (exec->wants_terminal && getenv("TERM") &&
	    snprintf(term, sizeof(term), "TERM=%s", getenv("TERM")) < 80)
		r = r < 0 ? r : frame_append(out, FRAME_ENV, slice_text(term));
	r = r < 0 ? r : add_env(out, exec->env);
	r = r < 0 ? r : add_env(out, exec->more_env);
	r = r < 0 ? r : add_text(out, FRAME_USER, exec->user);
	r = r < 0 ? r : add_text(out, FRAME_DIR, exec->dir);
	r = r < 0 ? r : add_text(out, FRAME_SESSION, exec->session);
	if (exec->wants_terminal)
		r = r < 0 ? r : frame_append_size(out, FRAME_TERMINAL, terminal_size(STDIN_FILENO));
	r = r < 0 ? r : frame_append(out, FRAME_START, slice_text(""));
	if (!exec->wants_input)
		r = r < 0 ? r : frame_append(out, FRAME_INPUT_END, slice_text(""));
	return r;
}

static int pass_on(struct talk *talk, int fd, struct slice bytes)
{
	talk->n_output += bytes.len;
	if (talk->output_max_bytes > 0 && talk->n_output > talk->output_max_bytes)
		return -EFBIG;
	return fd_write_all(fd, bytes);
}

static int take_frame(struct talk *talk, const struct frame *frame)
{
	auto_buf struct buf why = {0};

	if (frame->kind == FRAME_OUTPUT)
		return pass_on(talk, talk->output, frame->body);
	if (frame->kind == FRAME_ERROR_OUTPUT)
		return pass_on(talk, talk->errors, frame->body);
	if (frame->kind == FRAME_EXIT)
		talk->status = (unsigned char)frame->body.ptr[0];
	if (frame->kind == FRAME_FAILED) {
		talk->status = (unsigned char)frame->body.ptr[0];
		if (text_printable(&why, slice_skip(frame->body, 1), false) == 0)
			snprintf(talk->why, sizeof(talk->why), "%s", buf_text(&why));
	}
	return frame_is_for_guest(frame->kind) ? -EBADMSG : 0;
}

static int take_frames(struct talk *talk)
{
	struct frame frame;
	size_t used;

	while (talk->status == NOT_ENDED) {
		enum parsed parsed = frame_parse(buf_slice(&talk->in), &frame, &used);
		int r;

		if (parsed != PARSED_OK)
			return parsed == PARSED_BAD ? -EBADMSG : 0;
		r = take_frame(talk, &frame);
		if (r < 0)
			return r;
		buf_drop(&talk->in, used);
	}
	return 0;
}

/*
 * Ctrl-\ twice in a row leaves. So the first is held back until the next key tells what was meant: passed on
 * at once, it would end the very program that is to be left running.
 */
static int take_keys(struct talk *talk, struct slice keys)
{
	auto_buf struct buf passed = {0};
	int r = 0;

	for (size_t i = 0; r == 0 && i < keys.len; i++) {
		bool is_detach_key = keys.ptr[i] == DETACH_KEY;

		if (is_detach_key && talk->holds_detach_key) {
			talk->status = EXEC_DETACHED;
			return 0;
		}
		if (talk->holds_detach_key)
			r = buf_append(&passed, slice_of((const char[]){DETACH_KEY}, 1));
		talk->holds_detach_key = is_detach_key;
		if (r == 0 && !is_detach_key)
			r = buf_append(&passed, slice_of(keys.ptr + i, 1));
	}
	return r < 0 || passed.len == 0 ? r : frame_append(&talk->out, FRAME_INPUT, buf_slice(&passed));
}

static int read_input(struct talk *talk)
{
	char bytes[FRAME_CHUNK_BYTES];
	ssize_t count = read(talk->input, bytes, sizeof(bytes));

	if (count < 0 && (errno == EINTR || errno == EAGAIN))
		return 0;
	if (count <= 0) {
		talk->input = -1;
		return frame_append(&talk->out, FRAME_INPUT_END, slice_text(""));
	}
	if (talk->is_terminal)
		return take_keys(talk, slice_of(bytes, (size_t)count));
	return frame_append(&talk->out, FRAME_INPUT, slice_of(bytes, (size_t)count));
}

static int read_signal(struct talk *talk)
{
	struct signalfd_siginfo info;
	char number;

	if (read(talk->signals, &info, sizeof(info)) != sizeof(info))
		return 0;
	if (info.ssi_signo == SIGWINCH)
		return talk->is_terminal
			       ? frame_append_size(&talk->out, FRAME_RESIZE, terminal_size(STDIN_FILENO))
			       : 0;
	/* The window has been closed: the session goes on without a viewer. */
	if (info.ssi_signo == SIGHUP && talk->is_terminal) {
		talk->status = EXEC_DETACHED;
		return 0;
	}
	number = (char)info.ssi_signo;
	return frame_append(&talk->out, FRAME_SIGNAL, slice_of(&number, 1));
}

static int read_socket(struct talk *talk)
{
	ssize_t count = buf_read_fd(&talk->in, talk->sock, 65536);
	int r;

	if (count == -EAGAIN)
		return 0;
	r = count > 0 ? take_frames(talk) : 0;
	if (count <= 0 && talk->status == NOT_ENDED) {
		talk->status = LOST_STATUS;
		snprintf(talk->why, sizeof(talk->why), "the connection to the sandbox was lost");
	}
	return r;
}

static int turn(struct talk *talk)
{
	bool may_read = talk->out.len < WAITING_MAX_BYTES;
	struct pollfd polls[] = {
		{.fd = talk->sock, .events = (short)(talk->out.len > 0 ? POLLIN | POLLOUT : POLLIN)},
		{.fd = talk->signals, .events = POLLIN},
		{.fd = may_read ? talk->input : -1, .events = POLLIN},
	};
	int r = 0;

	if (poll(polls, array_len(polls), -1) < 0)
		return errno == EINTR ? 0 : -errno;
	if (polls[1].revents)
		r = read_signal(talk);
	if (r == 0 && polls[2].revents)
		r = read_input(talk);
	if (r == 0 && talk->out.len > 0) {
		ssize_t count = buf_write_fd(&talk->out, talk->sock);

		/* A guest that has ended the command may have said more than we have read. */
		if (count < 0 && count != -EAGAIN)
			buf_clear(&talk->out);
	}
	if (r == 0 && polls[0].revents & (POLLIN | POLLHUP | POLLERR))
		r = read_socket(talk);
	return r;
}

static int watch_signals(sigset_t *ret_before)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGWINCH);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGQUIT);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGUSR2);
	sigprocmask(SIG_BLOCK, &set, ret_before);
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd < 0 ? -errno : fd;
}

static int converse(struct talk *talk, struct err *err)
{
	int r = 0;

	while (r == 0 && talk->status == NOT_ENDED)
		r = turn(talk);
	if (r == -EPIPE)
		return err_set(err, r, "nobody reads the output any more");
	if (r == -EBADMSG)
		return err_set(err, r, "the sandbox sent what makes no sense; the connection was closed");
	return r < 0 ? err_errno(err, r, "the command's streams failed") : 0;
}

static int open_talk(const struct paths *paths, const struct exec *exec, struct talk *talk, struct err *err)
{
	int r;

	talk->sock = client_connect(paths, exec->sandbox, err);
	if (talk->sock < 0)
		return talk->sock;
	r = client_ask(talk->sock, "exec", ASK_LIMIT_MS, err);
	if (r < 0)
		return r;
	r = describe(exec, &talk->out);
	return r < 0 ? err_errno(err, r, "the command cannot be described to the guest") : 0;
}

/* Whoever was drawing is no longer asked: out of the alternate screen, cursor on, mouse and paste reports
 * off. */
static void tidy_screen(const struct talk *talk)
{
	static const char plain[] =
		"\033[?1049l\033[?25h\033[?1000l\033[?1002l\033[?1003l\033[?1006l\033[?2004l"
		"\033[0m\r\n";

	if (talk->is_terminal && (talk->status == EXEC_DETACHED || talk->status == LOST_STATUS))
		(void)fd_write_all(STDOUT_FILENO, slice_of(plain, sizeof(plain) - 1));
}

int exec_run(const struct paths *paths, const struct exec *exec, int *ret_status, struct err *err)
{
	struct talk talk = {.sock = -1,
			    .signals = -1,
			    .input = exec->wants_input ? STDIN_FILENO : -1,
			    .output = exec->output ? exec->output : STDOUT_FILENO,
			    .errors = exec->errors ? exec->errors : STDERR_FILENO,
			    .output_max_bytes = exec->output_max_bytes,
			    .is_terminal = exec->wants_terminal,
			    .status = NOT_ENDED};
	struct terminal terminal = {0};
	sigset_t before;
	int r = open_talk(paths, exec, &talk, err);

	if (r == 0) {
		talk.signals = watch_signals(&before);
		if (talk.is_terminal)
			(void)terminal_make_raw(&terminal, STDIN_FILENO);
		r = converse(&talk, err);
		tidy_screen(&talk);
		terminal_restore(&terminal);
		sigprocmask(SIG_SETMASK, &before, NULL);
		close(talk.signals);
	}
	if (talk.sock >= 0)
		close(talk.sock);
	buf_done(&talk.in);
	buf_done(&talk.out);
	if (r < 0)
		return r;
	*ret_status = talk.status;
	return talk.why[0] ? err_set(err, -EREMOTEIO, "%s", talk.why) : 0;
}
