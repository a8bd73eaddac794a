/*
 * PID 1 of the machines in which bench/share and bench/network measure. Makes the root as the guest program
 * does, then runs each line that comes on its port: a letter for who runs it (r root, a agent; n: nobody, the
 * network is made as sandboxes have it), its limit in seconds, a blank, and what a shell is to do. Answers
 * with the microseconds that it took by the machine's own clock and its exit status, -1 when it did not end
 * in time.
 */
#include "base/log.h"
#include "guest/devices.h"
#include "guest/modules.h"
#include "guest/mounts.h"
#include "guest/network-setup.h"
#include "guest/port.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

enum { DEVICES_LIMIT_MS = 60000, LINE_BYTES = 4096, AGENT = 1000 };

static int64_t now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000LL + now.tv_nsec / 1000;
}

static void use_console(void)
{
	int fd = open("/dev/console", O_RDWR | O_NOCTTY);

	for (int i = 0; fd >= 0 && i < 3; i++)
		dup2(fd, i);
	if (fd > 2)
		close(fd);
}

static _Noreturn void become_shell(const char *command, bool is_root)
{
	static const char path[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
	const char *const argv[] = {"sh", "-c", command, NULL};
	const char *const env[] = {path, is_root ? "HOME=/root" : "HOME=/home/agent", "LANG=C.UTF-8", NULL};

	signal(SIGPIPE, SIG_DFL);
	(void)setsid();
	if (is_root || (setgroups(0, NULL) == 0 && setgid(AGENT) == 0 && setuid(AGENT) == 0))
		execve("/bin/sh", (char *const *)(uintptr_t)argv, (char *const *)(uintptr_t)env);
	_exit(127);
}

/* The exit status of that child; others that have lost their parent are reaped meanwhile. */
static int wait_for(pid_t pid, int limit_s)
{
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	struct pollfd over = {.fd = pidfd, .events = POLLIN};
	bool is_late = poll(&over, 1, limit_s * 1000) <= 0;
	int status = 0;
	pid_t ended;

	if (is_late)
		(void)kill(-pid, SIGKILL);
	do
		ended = waitpid(-1, &status, 0);
	while (ended != pid && (ended > 0 || errno == EINTR));
	close(pidfd);
	return is_late ? -1 : WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void run(FILE *port, const char *line)
{
	int limit_s = 0, used = 0, status;
	int64_t begin;
	char who;
	pid_t pid;

	if (sscanf(line, "%c%d %n", &who, &limit_s, &used) < 2 || used == 0)
		return;
	begin = now_us();
	pid = who == 'n' ? 0 : fork();
	if (who == 'n')
		network_prepare();
	else if (pid == 0)
		become_shell(line + used, who == 'r');
	status = pid > 0 ? wait_for(pid, limit_s) : pid;
	fprintf(port, "%lld %d\n", (long long)(now_us() - begin), status);
	fflush(port);
}

static int make_system(struct err *err)
{
	int r = mounts_early(err);

	if (r < 0)
		return r;
	use_console();
	r = modules_load(err);
	r = r < 0 ? r : mounts_root(DEVICES_LIMIT_MS, err);
	r = r < 0 ? r : mounts_system(err);
	/* The sandbox's disk itself, without the overlay. */
	if (r == 0 && mount("/dev/vdb", "/bench", "ext4", MS_NOATIME, NULL) < 0)
		r = err_errno(err, -errno, "cannot mount the disk");
	return r;
}

static int serve(struct err *err)
{
	char line[LINE_BYTES];
	int fd = devices_wait(port_open, "bench.commands", DEVICES_LIMIT_MS);
	FILE *in, *out;

	if (fd < 0)
		return err_errno(err, fd, "cannot open the port for commands");
	(void)fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
	in = fdopen(fd, "re");
	out = fdopen(dup(fd), "we");
	if (!in || !out)
		return err_errno(err, -errno, "cannot open the port for commands");
	fprintf(out, "ready\n");
	fflush(out);
	while (fgets(line, sizeof(line), in)) {
		line[strcspn(line, "\n")] = '\0';
		run(out, line);
	}
	return 0;
}

int main(void)
{
	struct err err = {.text = ""};

	log_open("bench-init");
	if (getpid() != 1)
		return EXIT_FAILURE;
	umask(022);
	signal(SIGPIPE, SIG_IGN);
	if (make_system(&err) < 0 || serve(&err) < 0)
		log_line("%s", err.text);
	(void)reboot(RB_POWER_OFF);
	return EXIT_FAILURE;
}
