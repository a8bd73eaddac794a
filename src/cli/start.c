#include "cli/start.h"

#include "base/fd.h"
#include "cli/client.h"
#include "cli/policy-files.h"
#include "cli/probe.h"
#include "cli/secret.h"
#include "cli/shares.h"
#include "cli/supervise.h"
#include "cli/template.h"
#include "image/template.h"
#include "supervisor/saved.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/syscall.h>

enum {
	STATUS_LIMIT_MS = 2000,
	STOP_LIMIT_MS = 120000,
	KILL_LIMIT_MS = 10000,
};

static int look(const struct paths *paths, const char *name, bool *ret_needs_secrets, struct err *err)
{
	struct client_status status = {.name = name};

	client_statuses(paths, &status, 1, STATUS_LIMIT_MS);
	*ret_needs_secrets = json_is_true(json_object_get(status.reply, "needs_secrets"));
	json_decref(status.reply);
	switch (status.state) {
	case CLIENT_STOPPED:
		return 0;
	case CLIENT_RUNNING:
		return 1;
	case CLIENT_PAUSED:
		return err_set(err, -EBUSY, "sandbox '%s' is paused: 'sbx resume %s' has it go on", name,
			       name);
	case CLIENT_STARTING:
		return err_set(err, -EBUSY,
			       "sandbox '%s' is being started by another command: try again in a moment",
			       name);
	case CLIENT_STOPPING:
		return err_set(err, -EBUSY, "sandbox '%s' is just being stopped: try again in a moment",
			       name);
	case CLIENT_DISK_FULL:
		return err_set(err, -ENOSPC,
			       "the disk that holds sandbox '%s' is full: free some space, then it goes on",
			       name);
	case CLIENT_NOT_ANSWERING:
		break;
	}
	return err_set(err, -ETIME,
		       "the supervisor of sandbox '%s' does not answer: 'sbx rm --force %s' or 'sbx stop "
		       "--force %s' ends it",
		       name, name, name);
}

int start_is_running(const struct paths *paths, const char *name, struct err *err)
{
	bool needs_secrets;

	return look(paths, name, &needs_secrets, err);
}

/* Whoever has started from the same memory has it sealed and lends it; -1 where nobody has. */
static int find_memory(const struct paths *paths, const char *name)
{
	autofd int dir = sandbox_open_dir(paths, SHELF_SANDBOXES, name, NULL);
	struct saved saved;

	if (dir < 0 || saved_read_base(dir, &saved) < 0 || saved_is_base(&saved))
		return -1;
	return client_find_memory(paths, saved.base);
}

/* 1 where it has been started, 0 where it runs already. */
static int start(const struct paths *paths, const struct sandbox *sandbox, int *ret_bond,
		 bool *ret_needs_secrets, struct err *err)
{
	auto_template struct template template = TEMPLATE_NONE;
	auto_shares struct shares_files shares = SHARES_NO_FILES;
	autofd int memory = -1;
	struct engine_probe probe;
	int r = look(paths, sandbox->name, ret_needs_secrets, err);

	if (r != 0)
		return r < 0 ? r : 0;
	r = shares_open(paths, sandbox, &shares, err);
	r = r < 0 ? r : template_obtain(paths, sandbox->template, &template, err);
	r = r < 0 ? r : probe_and_say(paths, &probe, err);
	if (r < 0)
		return r;
	policy_warn(paths, sandbox->name);
	memory = find_memory(paths, sandbox->name);
	r = supervise(&(struct supervise){.name = sandbox->name,
					  .template = &template,
					  .memory = memory,
					  .shares = shares.fds,
					  .ret_bond = ret_bond},
		      err);
	return r < 0 ? r : 1;
}

int start_sandbox(const struct paths *paths, const struct sandbox *sandbox, struct err *err)
{
	bool needs_secrets;
	int r = start(paths, sandbox, NULL, &needs_secrets, err);

	if (r > 0 || (r == 0 && needs_secrets))
		secret_give(paths, sandbox->name, needs_secrets);
	return r < 0 ? r : 0;
}

int start_with_environment(const struct paths *paths, const struct sandbox *sandbox, struct err *err)
{
	bool needs_secrets;
	int r = start(paths, sandbox, NULL, &needs_secrets, err);

	if (r >= 0)
		secret_give(paths, sandbox->name, needs_secrets);
	return r < 0 ? r : 0;
}

int start_bound(const struct paths *paths, const struct sandbox *sandbox, int *ret_bond, struct err *err)
{
	bool needs_secrets;
	int r = start(paths, sandbox, ret_bond, &needs_secrets, err);

	if (r == 0)
		return err_set(err, -EBUSY, "sandbox '%s' runs already", sandbox->name);
	return r < 0 ? r : 0;
}

/* The process at the other end of the socket, held by a descriptor so that no other can be meant. */
static int supervisor_of(int fd)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);
	int pidfd;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
		return -errno;
	pidfd = (int)syscall(SYS_pidfd_open, peer.pid, 0);
	return pidfd < 0 ? -errno : pidfd;
}

int start_stop(const struct paths *paths, const char *name, bool is_cold, struct err *err)
{
	autofd int fd = client_connect(paths, name, err);
	autofd int supervisor = fd < 0 ? -1 : supervisor_of(fd);
	struct pollfd ended = {.fd = supervisor, .events = POLLIN};
	int r;

	if (fd == -ECONNREFUSED)
		return 0;
	if (fd < 0)
		return fd;
	r = client_ask_with(fd, json_pack("{s:s, s:b}", "op", "stop", "cold", is_cold), STOP_LIMIT_MS, NULL,
			    err);
	/* What it holds, the lock above all, goes with it; also where it ends without an answer. */
	if ((r == 0 || r == -EPIPE) && supervisor >= 0 && poll(&ended, 1, KILL_LIMIT_MS) == 0)
		return err_set(err, -ETIME, "the supervisor of sandbox '%s' does not end", name);
	return r < 0 ? err_add(err, r, "stopping sandbox '%s'", name) : 0;
}

int start_kill(const struct paths *paths, const char *name, struct err *err)
{
	autofd int fd = client_connect(paths, name, err);
	autofd int supervisor = fd < 0 ? -1 : supervisor_of(fd);
	struct pollfd ended = {.fd = supervisor, .events = POLLIN};

	if (fd == -ECONNREFUSED || supervisor == -ESRCH)
		return 0;
	if (fd < 0)
		return fd;
	if (supervisor < 0)
		return err_errno(err, supervisor, "cannot find the supervisor of sandbox '%s'", name);
	if (syscall(SYS_pidfd_send_signal, supervisor, SIGKILL, NULL, 0) < 0 && errno != ESRCH)
		return err_errno(err, -errno, "cannot end the supervisor of sandbox '%s'", name);
	if (poll(&ended, 1, KILL_LIMIT_MS) == 0)
		return err_set(err, -ETIME, "the supervisor of sandbox '%s' does not end", name);
	return 0;
}
