/*
 * How it works
 *   The master is read while there is a viewer who takes it, or nobody views a named one; every byte of a
 * named one also goes into its ring. A viewer that joins gets a reset, the ring, and its own window size,
 * with a nudge that makes full-screen programs draw again. When the program has ended, what is left is passed
 * on and then the exit; a named terminal that nobody views waits for somebody to hear of it, at most an hour.
 */
#include "guest/terminal.h"

#include "base/fd.h"
#include "guest/ring.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

enum {
	INPUT_MAX_BYTES = 64 << 10,
	SILENCE_MS = 100,
	HANG_UP_LIMIT_MS = 5000,
	KEEP_MS = 3600 * 1000,
	TTY_GROUP = 5,
};

struct terminal {
	struct terminal *next, **link;
	struct child child;
	struct guest *guest;
	struct exec *viewer; /* NULL while nobody views */
	struct watch master;
	struct ring ring;
	struct buf pending;
	struct timer timer; /* silence, hang-up, or keeping */
	struct frame_size size;
	char *name; /* NULL for an unnamed one */
	int status;
	bool has_exited, is_hung_up;
	bool is_closed; /* nobody has the other side open */
};

static void free_terminal(struct terminal *terminal)
{
	loop_close(terminal->guest->loop, &terminal->master);
	child_forget(&terminal->child);
	loop_stop_timer(&terminal->timer);
	if (terminal->viewer)
		terminal->viewer->terminal = NULL;
	*terminal->link = terminal->next;
	if (terminal->next)
		terminal->next->link = terminal->link;
	terminal->guest->n_terminals--;
	ring_done(&terminal->ring);
	buf_done(&terminal->pending);
	free(terminal->name);
	free(terminal);
}

static void finish(struct terminal *terminal)
{
	struct exec *viewer = terminal->viewer;
	int status = terminal->status;

	if (!viewer && terminal->name && !terminal->is_hung_up) {
		loop_close(terminal->guest->loop, &terminal->master);
		loop_set_timer(terminal->guest->loop, &terminal->timer, KEEP_MS);
		return;
	}
	free_terminal(terminal);
	if (viewer)
		exec_finish(viewer, status);
}

/* ---- the master ---- */

static void watch_master(struct terminal *terminal)
{
	bool may_read = terminal->viewer ? exec_has_room(terminal->viewer) : terminal->name != NULL;
	uint32_t events = (may_read ? EPOLLIN : 0) | (terminal->pending.len > 0 ? EPOLLOUT : 0);

	if (terminal->is_closed)
		events = 0;
	if (terminal->master.fd >= 0)
		(void)loop_watch(terminal->guest->loop, &terminal->master, events);
}

static void write_input(struct terminal *terminal)
{
	ssize_t count = 1;

	while (terminal->master.fd >= 0 && terminal->pending.len > 0 && count > 0)
		count = buf_write_fd(&terminal->pending, terminal->master.fd);
	if (count < 0 && count != -EAGAIN)
		buf_clear(&terminal->pending);
	if (terminal->viewer && !terminal_is_full(terminal))
		exec_took_input(terminal->viewer);
	watch_master(terminal);
}

static void read_output(struct terminal *terminal)
{
	char bytes[FRAME_CHUNK_BYTES];
	ssize_t count = read(terminal->master.fd, bytes, sizeof(bytes));

	if (count < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (count <= 0) {
		/*
		 * EIO: nobody has the other side open any more. A program that closes its streams before it
		 * ends (cat does) must not be hung up for that, so the master stays until then.
		 */
		terminal->is_closed = true;
		watch_master(terminal);
		if (terminal->has_exited)
			finish(terminal);
		return;
	}
	if (terminal->name)
		(void)ring_write(&terminal->ring, slice_of(bytes, (size_t)count));
	if (terminal->viewer)
		exec_send(terminal->viewer, FRAME_OUTPUT, slice_of(bytes, (size_t)count));
	if (terminal->has_exited)
		loop_set_timer(terminal->guest->loop, &terminal->timer, SILENCE_MS);
	watch_master(terminal);
}

static void on_master(struct watch *watch, uint32_t events)
{
	struct terminal *terminal = holder_of(watch, struct terminal, master);

	if (events & EPOLLOUT)
		write_input(terminal);
	if (watch->fd >= 0 && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
		read_output(terminal);
}

void terminal_input(struct terminal *terminal, struct slice bytes)
{
	if (terminal->master.fd >= 0 && buf_append(&terminal->pending, bytes) == 0)
		write_input(terminal);
}

bool terminal_is_full(const struct terminal *terminal)
{
	return terminal->pending.len >= INPUT_MAX_BYTES;
}

void terminal_drained(struct terminal *terminal)
{
	watch_master(terminal);
}

static void set_size(struct terminal *terminal, struct frame_size size)
{
	struct winsize window = {.ws_row = size.rows, .ws_col = size.columns};

	terminal->size = size;
	if (terminal->master.fd >= 0)
		(void)ioctl(terminal->master.fd, TIOCSWINSZ, &window);
}

void terminal_resize(struct terminal *terminal, struct frame_size size)
{
	set_size(terminal, size);
}

void terminal_signal(struct terminal *terminal, int number)
{
	if (number > 0 && number < NSIG)
		child_signal(&terminal->child, number);
}

/* ---- viewers ---- */

static struct terminal *find(const struct guest *guest, const char *name)
{
	struct terminal *terminal = guest->terminals;

	while (terminal && (!terminal->name || strcmp(terminal->name, name) != 0))
		terminal = terminal->next;
	return terminal;
}

static void view(struct terminal *terminal, struct exec *exec)
{
	terminal->viewer = exec;
	exec->terminal = terminal;
}

static void replay(struct terminal *terminal)
{
	/* Out of the alternate screen, plain attributes, an empty screen. */
	static const char reset[] = "\033[!p\033[?1049l\033[0m\033[H\033[2J";
	struct slice parts[2];

	exec_send(terminal->viewer, FRAME_OUTPUT, slice_text(reset));
	ring_read(&terminal->ring, parts);
	for (size_t i = 0; i < array_len(parts); i++) {
		while (parts[i].len > 0) {
			size_t count = parts[i].len < FRAME_CHUNK_BYTES ? parts[i].len : FRAME_CHUNK_BYTES;

			exec_send(terminal->viewer, FRAME_OUTPUT, slice_of(parts[i].ptr, count));
			parts[i] = slice_skip(parts[i], count);
		}
	}
}

static void join(struct terminal *terminal, struct exec *exec)
{
	struct exec *before = terminal->viewer;
	struct frame_size size = exec->size;

	if (before) {
		before->terminal = NULL;
		exec_fail(before, 1, "another terminal has taken this session over");
	}
	view(terminal, exec);
	exec_started(exec, terminal->child.pid, true);
	replay(terminal);
	if (terminal->has_exited) {
		finish(terminal);
		return;
	}
	/* The size changes in any case, so that the program hears of it and draws again. */
	if (size.rows == terminal->size.rows && size.columns == terminal->size.columns)
		set_size(terminal,
			 (struct frame_size){size.rows, (uint16_t)(size.columns > 1 ? size.columns - 1 : 2)});
	set_size(terminal, size);
	watch_master(terminal);
}

void terminal_leave(struct terminal *terminal, struct exec *exec)
{
	exec->terminal = NULL;
	if (terminal->viewer == exec)
		terminal->viewer = NULL;
	if (terminal->name) {
		watch_master(terminal);
		return;
	}
	if (terminal->has_exited) {
		free_terminal(terminal);
		return;
	}
	terminal->is_hung_up = true;
	child_signal(&terminal->child, SIGHUP);
	loop_close(terminal->guest->loop, &terminal->master);
	loop_set_timer(terminal->guest->loop, &terminal->timer, HANG_UP_LIMIT_MS);
}

/* ---- life ---- */

static void on_timer(struct timer *timer)
{
	struct terminal *terminal = holder_of(timer, struct terminal, timer);

	if (!terminal->has_exited) {
		child_signal(&terminal->child, SIGKILL);
	} else if (terminal->viewer && !exec_has_room(terminal->viewer)) {
		loop_set_timer(terminal->guest->loop, timer, SILENCE_MS);
	} else if (terminal->master.fd >= 0) {
		finish(terminal);
	} else {
		/* Kept long enough: nobody came to hear of its end. */
		terminal->is_hung_up = true;
		finish(terminal);
	}
}

static void on_start(struct child *child, enum child_step step, int error)
{
	struct terminal *terminal = holder_of(child, struct terminal, child);
	struct exec *viewer = terminal->viewer;

	if (step == CHILD_RUNNING) {
		if (viewer)
			exec_started(viewer, child->pid, false);
		return;
	}
	free_terminal(terminal);
	if (viewer)
		exec_fail_start(viewer, step, error);
}

static void on_exit_status(struct child *child, int status)
{
	struct terminal *terminal = holder_of(child, struct terminal, child);

	terminal->has_exited = true;
	terminal->status = child_exit_status(status);
	loop_stop_timer(&terminal->timer);
	if (terminal->master.fd < 0 || terminal->is_closed)
		finish(terminal);
	else
		loop_set_timer(terminal->guest->loop, &terminal->timer, SILENCE_MS);
}

static int open_pair(struct terminal *terminal, const struct identity *user, int *ret_slave)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
	int slave;

	if (master < 0)
		return -errno;
	terminal->master.fd = master;
	if (unlockpt(master) < 0)
		return -errno;
	slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (slave < 0)
		return -errno;
	*ret_slave = slave;
	/* Where this is not root (tests), the terminal is the caller's already. */
	if (geteuid() == 0 && (fchown(slave, user->uid, TTY_GROUP) < 0 || fchmod(slave, 0620) < 0))
		return -errno;
	return 0;
}

static struct terminal *make(struct exec *exec)
{
	struct terminal *terminal = calloc(1, sizeof(*terminal));
	struct guest *guest = exec->guest;

	if (!terminal)
		return NULL;
	terminal->guest = guest;
	terminal->child.on_start = on_start;
	terminal->child.on_exit = on_exit_status;
	terminal->master = (struct watch){.on_event = on_master, .fd = -1};
	terminal->timer.on_due = on_timer;
	terminal->name = steal(&exec->session);
	terminal->next = guest->terminals;
	terminal->link = &guest->terminals;
	if (terminal->next)
		terminal->next->link = &terminal->next;
	guest->terminals = terminal;
	guest->n_terminals++;
	view(terminal, exec);
	return terminal;
}

static int run(struct terminal *terminal, struct child_plan *plan)
{
	int slave = -1;
	int r = open_pair(terminal, plan->user, &slave);

	set_size(terminal, terminal->viewer->size);
	plan->fds[0] = plan->fds[1] = plan->fds[2] = slave;
	plan->has_terminal = true;
	r = r < 0 ? r : child_start(terminal->guest->children, &terminal->child, plan);
	if (slave >= 0)
		close(slave);
	return r;
}

static void start_new(struct exec *exec)
{
	struct terminal *terminal;
	struct identity identity;
	struct child_plan plan;
	int r;

	if (exec_plan(exec, &plan, &identity) < 0)
		return;
	terminal = make(exec);
	r = terminal ? run(terminal, &plan) : -ENOMEM;
	if (r < 0) {
		if (terminal)
			free_terminal(terminal);
		exec_fail_start(exec, CHILD_SETUP, -r);
		return;
	}
	watch_master(terminal);
}

void terminal_start(struct exec *exec)
{
	struct terminal *terminal = exec->session ? find(exec->guest, exec->session) : NULL;

	if (terminal)
		join(terminal, exec);
	else if (exec->guest->n_terminals >= GUEST_TERMINALS_MAX)
		exec_fail(exec, 1, "%d terminals are open in the sandbox already", GUEST_TERMINALS_MAX);
	else
		start_new(exec);
}
