/*
 * The child is made with fork; between fork and exec it calls only async-signal-safe functions. Its failure
 * comes back as an errno through a close-on-exec pipe, so that the caller hears of it at once.
 */
#include "base/spawn.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

enum { HIGH_FD = 100, KILL_LIMIT_MS = 100 };

static int place_fds(const struct spawn *spawn)
{
	int high[SPAWN_FDS_MAX];

	for (size_t i = 0; i < spawn->n_fds; i++) {
		int source = spawn->fds[i];

		high[i] = -1;
		if (source < 0 && i < 3)
			source = open("/dev/null", O_RDWR | O_CLOEXEC);
		if (source >= 0)
			high[i] = fcntl(source, F_DUPFD_CLOEXEC, HIGH_FD);
		if (source >= 0 && high[i] < 0)
			return -errno;
	}
	for (size_t i = 0; i < spawn->n_fds; i++)
		if (high[i] >= 0 && dup2(high[i], (int)i) < 0)
			return -errno;
	for (size_t i = 0; i < spawn->n_fds; i++)
		if (high[i] < 0)
			close((int)i);
	/* Whatever else is open is for other programs. What was placed from above goes with exec. */
	if (syscall(SYS_close_range, spawn->n_fds, HIGH_FD - 1, 0) < 0)
		return -errno;
	if (syscall(SYS_close_range, HIGH_FD, ~0U, CLOSE_RANGE_CLOEXEC) < 0)
		return -errno;
	return 0;
}

static void reset_signals(void)
{
	struct sigaction plain = {.sa_handler = SIG_DFL};
	sigset_t none;

	for (int i = 1; i < NSIG; i++)
		sigaction(i, &plain, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Returns only when the program could not be started: a positive errno. */
static int become(const struct spawn *spawn, pid_t parent)
{
	static const char *const no_env[] = {NULL};
	const char *const *env = spawn->env ? spawn->env : no_env;

	reset_signals();
	if (spawn->is_leader)
		setsid();
	if (spawn->death_signal && prctl(PR_SET_PDEATHSIG, spawn->death_signal) < 0)
		return errno;
	if (spawn->death_signal && getppid() != parent)
		return ESRCH;
	if (chdir(spawn->dir ? spawn->dir : "/") < 0)
		return errno;
	execve(spawn->program, (char *const *)(uintptr_t)spawn->argv, (char *const *)(uintptr_t)env);
	return errno;
}

static _Noreturn void be_child(const struct spawn *spawn, int report, pid_t parent)
{
	int error;

	/* Out of the way of what is placed. */
	report = fcntl(report, F_DUPFD_CLOEXEC, HIGH_FD);
	error = -place_fds(spawn);
	if (error == 0)
		error = become(spawn, parent);
	while (write(report, &error, sizeof(error)) < 0 && errno == EINTR)
		;
	_exit(127);
}

int spawn_start(const struct spawn *spawn, pid_t *ret_pid, struct err *err)
{
	pid_t parent = getpid();
	autofd int read_end = -1, write_end = -1;
	int pipe_fds[2], error = 0;
	ssize_t count;
	pid_t pid;

	if (spawn->n_fds < 3 || spawn->n_fds > SPAWN_FDS_MAX)
		return err_set(err, -EINVAL, "cannot start '%s': wrong count of descriptors", spawn->program);
	if (pipe2(pipe_fds, O_CLOEXEC) < 0)
		return err_errno(err, -errno, "cannot start '%s'", spawn->program);
	read_end = pipe_fds[0];
	write_end = pipe_fds[1];
	pid = fork();
	if (pid < 0)
		return err_errno(err, -errno, "cannot start '%s'", spawn->program);
	if (pid == 0)
		be_child(spawn, write_end, parent);
	close(steal_fd(&write_end));
	do
		count = read(read_end, &error, sizeof(error));
	while (count < 0 && errno == EINTR);
	if (count != 0) {
		waitpid(pid, NULL, 0);
		return err_errno(err, count == sizeof(error) ? -error : -EIO, "cannot start '%s'",
				 spawn->program);
	}
	*ret_pid = pid;
	return 0;
}

int spawn_wait(pid_t pid, int limit_ms, int *ret_status)
{
	if (limit_ms >= 0) {
		autofd int fd = (int)syscall(SYS_pidfd_open, pid, 0);
		struct pollfd ended = {.fd = fd, .events = POLLIN};

		if (fd < 0)
			return -errno;
		while (poll(&ended, 1, limit_ms) < 0)
			if (errno != EINTR)
				return -errno;
		if (ended.revents == 0)
			return -ETIME;
	}
	while (waitpid(pid, ret_status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return 0;
}

int spawn_ask(const char *program, const char *const *argv, int limit_ms, size_t max, struct buf *ret,
	      int *ret_status, struct err *err)
{
	struct spawn spawn = {
		.program = program, .argv = argv, .fds = {-1, -1, -1}, .n_fds = 3, .death_signal = SIGKILL};
	autofd int output = -1;
	int pipe_fds[2];
	pid_t pid;
	int r;

	if (pipe2(pipe_fds, O_CLOEXEC) < 0)
		return err_errno(err, -errno, "cannot listen to '%s'", program);
	output = pipe_fds[0];
	spawn.fds[1] = pipe_fds[1];
	r = spawn_start(&spawn, &pid, err);
	close(pipe_fds[1]);
	if (r < 0)
		return r;
	r = spawn_wait(pid, limit_ms, ret_status);
	if (r == -ETIME) {
		/* It may hang in the kernel for good; then it is left to the kernel. */
		kill(pid, SIGKILL);
		(void)spawn_wait(pid, KILL_LIMIT_MS, ret_status);
	}
	r = r < 0 ? r : fd_read_all(output, max, ret);
	return r < 0 ? err_errno(err, r, "'%s' does not answer", program) : 0;
}
