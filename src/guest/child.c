/*
 * How it works
 *   fork; the new process prepares itself and writes what failed to a pipe that its exec would close. So an
 * end of file means that the program runs. A fork and not vfork: the new process may hang in a slow file
 * system before its program runs, and this one must go on meanwhile.
 */
#include "guest/child.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>

enum { LISTEN_FD = 3, HIGH_FD = 10, PATH_ROOM = PATH_MAX, CHILDREN_MAX_BYTES = 1 << 20 };

static const char default_path[] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

struct children {
	struct loop *loop;
	struct watch signals;
	struct child *first;
	void (*on_reaped)(void *owner);
	void *owner;
};

struct report {
	int step, error;
};

/* ---- in the new process, up to its program ---- */

static _Noreturn void fail(int report_fd, enum child_step step, int error)
{
	struct report report = {step, error};

	(void)!write(report_fd, &report, sizeof(report));
	_exit(127);
}

static int become(const struct identity *user)
{
	if (!user || (geteuid() != 0 && user->uid == geteuid()))
		return 0;
	if (setgroups(user->n_groups, user->groups) < 0 || setresgid(user->gid, user->gid, user->gid) < 0)
		return errno;
	return setresuid(user->uid, user->uid, user->uid) < 0 ? errno : 0;
}

static int enter(const struct child_plan *plan)
{
	if (plan->dir && chdir(plan->dir) == 0)
		return 0;
	if (plan->dir_required)
		return errno;
	if (plan->other_dir && chdir(plan->other_dir) == 0)
		return 0;
	return chdir("/") < 0 ? errno : 0;
}

static int take_fds(const struct child_plan *plan)
{
	if (plan->cgroup_fd >= 0 && write(plan->cgroup_fd, "0", 1) != 1)
		return errno;
	if (setsid() < 0)
		return errno;
	for (int i = 0; i < 3; i++)
		if (dup2(plan->fds[i], i) < 0)
			return errno;
	if (plan->has_terminal && ioctl(0, TIOCSCTTY, 0) < 0)
		return errno;
	if (plan->listen_fd >= 0 && dup2(plan->listen_fd, LISTEN_FD) < 0)
		return errno;
	return 0;
}

/* Tries the program in each folder of the path; returns why none would run. */
static int run(const char *path, char *const *argv, char *const *env)
{
	int result = ENOENT;
	char file[PATH_ROOM];

	if (strchr(argv[0], '/')) {
		execve(argv[0], argv, env);
		return errno;
	}
	for (;;) {
		size_t len = strcspn(path, ":");

		if (len > 0 && len + strlen(argv[0]) + 2 <= sizeof(file)) {
			memcpy(file, path, len);
			file[len] = '/';
			strcpy(file + len + 1, argv[0]);
			execve(file, argv, env);
			if (errno != ENOENT && errno != ENOTDIR)
				result = errno;
		}
		if (!path[len] || (result != ENOENT && result != EACCES))
			return result;
		path += len + 1;
	}
}

static _Noreturn void prepare_and_run(const struct child_plan *plan, char *const *env, const char *path,
				      int report_fd)
{
	sigset_t none;
	int error;

	report_fd = fcntl(report_fd, F_DUPFD_CLOEXEC, HIGH_FD);
	error = take_fds(plan);
	if (error)
		fail(report_fd, CHILD_SETUP, error);
	error = become(plan->user);
	if (error)
		fail(report_fd, CHILD_USER, error);
	error = enter(plan);
	if (error)
		fail(report_fd, CHILD_DIR, error);
	umask(022);
	signal(SIGPIPE, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	error = plan->argv->items[0][0] ? run(path, plan->argv->items, env) : ENOENT;
	fail(report_fd, CHILD_PROGRAM, error);
}

/* Socket activation: LISTEN_PID can only be known over here. Both end up in front of the other variables. */
static _Noreturn void begin(const struct child_plan *plan, char **env, int report_fd)
{
	const char *path = strings_value(plan->env, "PATH");
	char pid_text[32];

	if (plan->listen_fd >= 0) {
		snprintf(pid_text, sizeof(pid_text), "LISTEN_PID=%d", (int)getpid());
		env[0] = pid_text;
	}
	prepare_and_run(plan, env, path ? path : default_path, report_fd);
}

/* ---- in this process ---- */

static void forget(struct child *child)
{
	if (!child->link)
		return;
	*child->link = child->next;
	if (child->next)
		child->next->link = child->link;
	child->link = NULL;
	loop_close(child->children->loop, &child->report);
}

void child_forget(struct child *child)
{
	forget(child);
	child->pid = 0;
}

void child_signal(const struct child *child, int signal)
{
	if (child->link && child->pid > 1)
		kill(-child->pid, signal);
}

/* A failed start is the last that the owner hears. */
static void read_report(struct child *child)
{
	struct report report;
	ssize_t count = read(child->report.fd, &report, sizeof(report));

	if (count < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	loop_close(child->children->loop, &child->report);
	if (count == sizeof(report)) {
		child_forget(child);
		child->on_start(child, (enum child_step)report.step, report.error);
		return;
	}
	child->is_started = true;
	child->on_start(child, CHILD_RUNNING, 0);
}

static void on_report(struct watch *watch, uint32_t events)
{
	(void)events;
	read_report(holder_of(watch, struct child, report));
}

static struct child *find(const struct children *children, pid_t pid)
{
	struct child *child = children->first;

	while (child && child->pid != pid)
		child = child->next;
	return child;
}

/* The report first: it is complete once the process has ended. */
static void reaped(struct children *children, pid_t pid, int status)
{
	struct child *child = find(children, pid);

	if (child && child->report.fd >= 0) {
		read_report(child);
		child = find(children, pid);
	}
	if (!child)
		return;
	child_forget(child);
	child->on_exit(child, status);
}

static void on_signal(struct watch *watch, uint32_t events)
{
	struct children *children = holder_of(watch, struct children, signals);
	struct signalfd_siginfo info;
	int status;

	(void)events;
	while (read(watch->fd, &info, sizeof(info)) > 0)
		continue;
	for (;;) {
		pid_t pid = waitpid(-1, &status, WNOHANG);

		if (pid <= 0)
			break;
		reaped(children, pid, status);
	}
	if (children->on_reaped)
		children->on_reaped(children->owner);
}

int children_new(struct loop *loop, struct children **ret)
{
	struct children *children = calloc(1, sizeof(*children));
	sigset_t set;
	int r;

	if (!children)
		return -ENOMEM;
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	*children = (struct children){.loop = loop};
	children->signals.on_event = on_signal;
	children->signals.fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	r = children->signals.fd < 0 ? -errno : loop_watch(loop, &children->signals, EPOLLIN);
	if (r < 0) {
		children_free(children);
		return r;
	}
	*ret = children;
	return 0;
}

void children_free(struct children *children)
{
	if (!children)
		return;
	while (children->first)
		child_forget(children->first);
	loop_close(children->loop, &children->signals);
	free(children);
}

void children_on_reaped(struct children *children, void (*on_reaped)(void *owner), void *owner)
{
	children->on_reaped = on_reaped;
	children->owner = owner;
}

bool children_none(void)
{
	siginfo_t info;

	return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 && errno == ECHILD;
}

unsigned children_count(void)
{
	char path[64];
	auto_buf struct buf list = {0};
	autofd int fd = -1;
	unsigned count = 0;

	snprintf(path, sizeof(path), "/proc/self/task/%d/children", getpid());
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fd_read_all(fd, CHILDREN_MAX_BYTES, &list) < 0)
		return UINT_MAX;
	for (size_t i = 0; i < list.len; i++)
		count += buf_text(&list)[i] == ' ';
	return count;
}

/* The variables as execve() wants them, with room in front for those of socket activation. */
static char **make_env(const struct child_plan *plan)
{
	static char one_socket[] = "LISTEN_FDS=1";
	size_t extra = plan->listen_fd >= 0 ? 2 : 0;
	char **env = calloc(plan->env->count + extra + 1, sizeof(*env));

	if (!env)
		return NULL;
	if (extra)
		env[1] = one_socket;
	for (size_t i = 0; i < plan->env->count; i++)
		env[extra + i] = plan->env->items[i];
	return env;
}

int child_start(struct children *children, struct child *child, const struct child_plan *plan)
{
	autofree char **env = make_env(plan);
	int pipe_fds[2];
	pid_t pid;
	int r;

	if (!env)
		return -ENOMEM;
	if (pipe2(pipe_fds, O_CLOEXEC | O_NONBLOCK) < 0)
		return -errno;
	child->report = (struct watch){.on_event = on_report, .fd = pipe_fds[0]};
	r = loop_watch(children->loop, &child->report, EPOLLIN);
	pid = r < 0 ? -1 : fork();
	if (pid == 0)
		begin(plan, env, pipe_fds[1]);
	if (pid < 0) {
		r = r < 0 ? r : -errno;
		loop_close(children->loop, &child->report);
	}
	close(pipe_fds[1]);
	if (pid < 0)
		return r;
	child->pid = pid;
	child->is_started = false;
	child->children = children;
	child->next = children->first;
	child->link = &children->first;
	if (child->next)
		child->next->link = &child->next;
	children->first = child;
	return 0;
}

int child_exit_status(int status)
{
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
