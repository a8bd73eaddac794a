/*
 * How it works
 *   Output is read while the viewer takes it. When the main process has ended, what its pipes still hold is
 * passed on; a background process that keeps them open does not keep the caller: after a moment of silence
 * the exit is told. A caller that goes takes its command along: hang-up, and the kill a few seconds later.
 */
#include "guest/command.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>

enum { INPUT_MAX_BYTES = 64 << 10, SILENCE_MS = 100, HANG_UP_LIMIT_MS = 5000, N_OUTPUTS = 2 };

struct output {
	struct watch watch;
	struct command *command;
	enum frame_kind kind;
};

struct command {
	struct child child;
	struct guest *guest;
	struct exec *exec; /* NULL once the caller is gone */
	struct watch input;
	struct buf pending; /* for standard input */
	struct output outputs[N_OUTPUTS];
	struct timer timer; /* silence after the end, or the limit of a hang-up */
	int status;
	bool input_ended, has_exited;
};

static void close_streams(struct command *command)
{
	loop_close(command->guest->loop, &command->input);
	for (int i = 0; i < N_OUTPUTS; i++)
		loop_close(command->guest->loop, &command->outputs[i].watch);
}

static void free_command(struct command *command)
{
	close_streams(command);
	child_forget(&command->child);
	loop_stop_timer(&command->timer);
	if (command->exec)
		command->exec->command = NULL;
	command->guest->n_commands--;
	buf_done(&command->pending);
	free(command);
}

/* ---- output ---- */

static bool outputs_are_closed(const struct command *command)
{
	return command->outputs[0].watch.fd < 0 && command->outputs[1].watch.fd < 0;
}

static void finish(struct command *command)
{
	struct exec *exec = command->exec;
	int status = command->status;

	free_command(command);
	if (exec)
		exec_finish(exec, status);
}

static void watch_output(struct command *command)
{
	uint32_t events = command->exec && exec_has_room(command->exec) ? EPOLLIN : 0;

	for (int i = 0; i < N_OUTPUTS; i++)
		if (command->outputs[i].watch.fd >= 0)
			(void)loop_watch(command->guest->loop, &command->outputs[i].watch, events);
}

static void on_output(struct watch *watch, uint32_t events)
{
	struct output *output = holder_of(watch, struct output, watch);
	struct command *command = output->command;
	char bytes[FRAME_CHUNK_BYTES];
	ssize_t count = read(watch->fd, bytes, sizeof(bytes));

	(void)events;
	if (count < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (count <= 0) {
		loop_close(command->guest->loop, watch);
		if (command->has_exited && outputs_are_closed(command))
			finish(command);
		return;
	}
	exec_send(command->exec, output->kind, slice_of(bytes, (size_t)count));
	if (command->has_exited)
		loop_set_timer(command->guest->loop, &command->timer, SILENCE_MS);
	watch_output(command);
}

void command_drained(struct command *command)
{
	watch_output(command);
	if (command->has_exited)
		loop_set_timer(command->guest->loop, &command->timer, SILENCE_MS);
}

/* ---- input ---- */

static void write_input(struct command *command)
{
	struct loop *loop = command->guest->loop;
	ssize_t count = 1;

	while (command->input.fd >= 0 && command->pending.len > 0 && count > 0)
		count = buf_write_fd(&command->pending, command->input.fd);
	if (count < 0 && count != -EAGAIN) {
		/* It reads no more: what still comes is of no use. */
		buf_clear(&command->pending);
		loop_close(loop, &command->input);
	}
	if (command->pending.len == 0 && command->input_ended)
		loop_close(loop, &command->input);
	if (command->input.fd >= 0)
		(void)loop_watch(loop, &command->input, command->pending.len > 0 ? EPOLLOUT : 0);
	if (command->exec && !command_is_full(command))
		exec_took_input(command->exec);
}

static void on_input(struct watch *watch, uint32_t events)
{
	(void)events;
	write_input(holder_of(watch, struct command, input));
}

void command_input(struct command *command, struct slice bytes)
{
	if (command->input.fd < 0 || command->input_ended)
		return;
	if (buf_append(&command->pending, bytes) < 0)
		command->input_ended = true;
	write_input(command);
}

void command_input_end(struct command *command)
{
	command->input_ended = true;
	write_input(command);
}

bool command_is_full(const struct command *command)
{
	return command->pending.len >= INPUT_MAX_BYTES;
}

void command_signal(struct command *command, int number)
{
	if (number > 0 && number < NSIG)
		child_signal(&command->child, number);
}

/* ---- life ---- */

static void on_timer(struct timer *timer)
{
	struct command *command = holder_of(timer, struct command, timer);

	if (!command->has_exited)
		child_signal(&command->child, SIGKILL);
	else if (command->exec && !exec_has_room(command->exec))
		loop_set_timer(command->guest->loop, timer, SILENCE_MS);
	else
		finish(command);
}

static void on_start(struct child *child, enum child_step step, int error)
{
	struct command *command = holder_of(child, struct command, child);
	struct exec *exec = command->exec;

	if (step == CHILD_RUNNING) {
		if (exec)
			exec_started(exec, child->pid, false);
		return;
	}
	free_command(command);
	if (exec)
		exec_fail_start(exec, step, error);
}

static void on_exit_status(struct child *child, int status)
{
	struct command *command = holder_of(child, struct command, child);

	command->has_exited = true;
	command->status = child_exit_status(status);
	loop_stop_timer(&command->timer);
	if (!command->exec || outputs_are_closed(command))
		finish(command);
	else
		loop_set_timer(command->guest->loop, &command->timer, SILENCE_MS);
}

void command_abandon(struct command *command)
{
	command->exec = NULL;
	close_streams(command);
	buf_clear(&command->pending);
	if (command->has_exited) {
		free_command(command);
		return;
	}
	child_signal(&command->child, SIGHUP);
	loop_set_timer(command->guest->loop, &command->timer, HANG_UP_LIMIT_MS);
}

/* Ours is close-on-exec and non-blocking, theirs an ordinary end that the child gets. */
static int make_pipe(int *ret_read, int *ret_write)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	*ret_read = fds[0];
	*ret_write = fds[1];
	return 0;
}

static int open_streams(struct command *command, int theirs[3])
{
	int r = make_pipe(&theirs[0], &command->input.fd);

	r = r < 0 ? r : make_pipe(&command->outputs[0].watch.fd, &theirs[1]);
	r = r < 0 ? r : make_pipe(&command->outputs[1].watch.fd, &theirs[2]);
	r = r < 0 ? r : fd_set_nonblock(command->input.fd);
	r = r < 0 ? r : fd_set_nonblock(command->outputs[0].watch.fd);
	return r < 0 ? r : fd_set_nonblock(command->outputs[1].watch.fd);
}

static struct command *make(struct exec *exec)
{
	static const enum frame_kind kinds[N_OUTPUTS] = {FRAME_OUTPUT, FRAME_ERROR_OUTPUT};
	struct command *command = calloc(1, sizeof(*command));

	if (!command)
		return NULL;
	command->guest = exec->guest;
	command->exec = exec;
	command->child.on_start = on_start;
	command->child.on_exit = on_exit_status;
	command->input = (struct watch){.on_event = on_input, .fd = -1};
	command->timer.on_due = on_timer;
	for (int i = 0; i < N_OUTPUTS; i++)
		command->outputs[i] = (struct output){
			.watch = {.on_event = on_output, .fd = -1}, .command = command, .kind = kinds[i]};
	exec->command = command;
	exec->guest->n_commands++;
	return command;
}

static int run(struct command *command, struct child_plan *plan)
{
	int theirs[3] = {-1, -1, -1};
	int r = open_streams(command, theirs);

	memcpy(plan->fds, theirs, sizeof(theirs));
	r = r < 0 ? r : child_start(command->guest->children, &command->child, plan);
	for (int i = 0; i < 3; i++)
		if (theirs[i] >= 0)
			close(theirs[i]);
	return r;
}

void command_start(struct exec *exec)
{
	struct command *command = NULL;
	struct identity identity;
	struct child_plan plan;
	int r;

	if (exec->guest->n_commands >= GUEST_COMMANDS_MAX) {
		exec_fail(exec, 1, "%d commands run in the sandbox already", GUEST_COMMANDS_MAX);
		return;
	}
	if (exec_plan(exec, &plan, &identity) < 0)
		return;
	command = make(exec);
	r = command ? run(command, &plan) : -ENOMEM;
	if (r < 0) {
		if (command)
			free_command(command);
		exec_fail_start(exec, CHILD_SETUP, -r);
		return;
	}
	watch_output(command);
}
