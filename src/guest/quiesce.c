#include "guest/quiesce.h"

#include "base/log.h"
#include "guest/groups.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SYNC_LIMIT_S = 20, FREEZE_LIMIT_MS = 3000 };

static void on_alarm(int number)
{
	(void)number;
}

/* sync(2) cannot be given a limit: a process of its own can be left behind. */
static void write_out(void)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		sync();
		_exit(0);
	}
	if (pid < 0)
		return;
	alarm(SYNC_LIMIT_S);
	if (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		log_line("writing out takes long: the machine is saved meanwhile");
	alarm(0);
}

int quiesce_run(void)
{
	const struct sigaction wake = {.sa_handler = on_alarm};

	sigaction(SIGALRM, &wake, NULL);
	write_out();
	groups_set_frozen(true);
	if (groups_wait_frozen(FREEZE_LIMIT_MS) < 0)
		log_line("some processes do not stand still: the machine is saved as it is");
	return 0;
}
