#include "store/command.h"

#include "base/clock.h"
#include "base/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static int start(const char *command, int output, pid_t *ret_pid, struct err *err)
{
	const char *const argv[] = {"sh", "-c", command, NULL};
	const struct spawn spawn = {.program = "/bin/sh",
				    .argv = argv,
				    .env = (const char *const *)environ,
				    .fds = {-1, output, STDERR_FILENO},
				    .n_fds = 3,
				    .death_signal = SIGKILL,
				    .is_leader = true};

	return spawn_start(&spawn, ret_pid, err);
}

/* With everything that it has started. */
static void end(pid_t pid)
{
	kill(-pid, SIGKILL);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static int check_status(int status, struct err *err)
{
	if (WIFSIGNALED(status))
		return err_set(err, -EIO, "the command was ended by signal %d", WTERMSIG(status));
	if (WEXITSTATUS(status) != 0)
		return err_set(err, -EIO, "the command ended with status %d", WEXITSTATUS(status));
	return 0;
}

static int too_slow(int limit_ms, struct err *err)
{
	return err_set(err, -ETIME, "the command took longer than %d seconds and was ended", limit_ms / 1000);
}

int command_value(const char *command, int listener, int limit_ms, struct value *ret, struct err *err)
{
	int64_t deadline_ms = clock_ms() + limit_ms, left;
	autofd int ours = -1, theirs = -1;
	int ends[2], status = 0, r;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_errno(err, -errno, "cannot make a pipe");
	ours = ends[0];
	theirs = ends[1];
	r = start(command, theirs, &pid, err);
	if (r < 0)
		return r;
	close(steal_fd(&theirs));
	r = value_read_for(ret, ours, listener, limit_ms);
	left = deadline_ms - clock_ms();
	if (r == 0)
		r = spawn_wait(pid, left > 0 ? (int)left : 0, &status);
	if (r < 0) {
		end(pid);
		if (r == -EFBIG)
			return err_set(err, r, "the command wrote more than a secret can hold");
		return r == -ETIME ? too_slow(limit_ms, err)
				   : err_errno(err, r, "cannot read from the command");
	}
	r = check_status(status, err);
	return r < 0 ? r : value_check(ret, err);
}
