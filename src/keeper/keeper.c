/*
 * How it works
 *   CHAN_KEEP brings a folder as a descriptor; sbx-share is started with it and with one end of a new
 * channel, whose other end goes to the supervisor. A server that ends is replaced at once; one that ends
 * again and again is given up. All servers die with this process, and this one with its supervisor.
 */
#include "keeper/keeper.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/jail.h"
#include "base/log.h"
#include "base/paths.h"
#include "base/spawn.h"
#include "wire/chan.h"
#include "wire/share.h"

#include <errno.h>
#include <poll.h>
#include <seccomp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

enum {
	RESTARTS_MAX = 5,
	STEADY_MS = 10000, /* a server that has lived so long may be replaced afresh */
};

struct served {
	int root; /* owned; -1 for the proxy and the vault, and where the share is not in use */
	int pidfd;
	pid_t pid;
	enum share_mode mode;
	unsigned restarts;
	int64_t started_ms;
};

static struct served roles[KEEPER_ROLES];

static const char *program_of(uint32_t id)
{
	if (id == KEEPER_PROXY)
		return "sbx-proxy";
	return id == KEEPER_VAULT ? "sbx-vault" : "sbx-share";
}

static int spawn_role(const struct served *role, uint32_t id, int channel, pid_t *ret_pid, struct err *err)
{
	const char *name = program_of(id);
	const char *mode = role->mode == SHARE_READ_ONLY ? "ro" : "rw";
	const char *const argv[] = {name, id < SHARE_PORTS ? mode : NULL, NULL};
	char program[PATH_ROOM_BYTES];
	struct spawn spawn = {.program = program,
			      .argv = argv,
			      .fds = {-1, -1, STDERR_FILENO, channel, role->root},
			      .n_fds = role->root < 0 ? 4 : 5,
			      .death_signal = SIGKILL};
	int r = paths_program(name, program, err);

	return r < 0 ? r : spawn_start(&spawn, ret_pid, err);
}

static int start(struct served *share, uint32_t id, struct err *err)
{
	autofd int ours = -1, theirs = -1;
	int pair[2], r;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_errno(err, -errno, "cannot make a channel");
	ours = pair[0];
	theirs = pair[1];
	r = spawn_role(share, id, theirs, &share->pid, err);
	if (r < 0)
		return r;
	share->started_ms = clock_ms();
	share->pidfd = (int)syscall(SYS_pidfd_open, share->pid, 0);
	if (share->pidfd < 0)
		return err_errno(err, -errno, "cannot watch a role");
	r = chan_send(KEEPER_CHANNEL_FD, CHAN_SERVED, id, (uint32_t)share->pid, slice_text(""), ours);
	return r < 0 ? err_errno(err, r, "cannot hand on the channel of a role") : 0;
}

static void end_server(struct served *share)
{
	if (share->pid > 0) {
		kill(share->pid, SIGKILL);
		waitpid(share->pid, NULL, 0);
	}
	share->pid = 0;
	if (share->pidfd >= 0)
		close(steal_fd(&share->pidfd));
}

static void forget(struct served *share)
{
	end_server(share);
	if (share->root >= 0)
		close(steal_fd(&share->root));
}

static int give_up_share(struct served *share, uint32_t id, const char *why)
{
	forget(share);
	log_line("role %u is not kept any more: %s", id, why);
	return chan_send(KEEPER_CHANNEL_FD, CHAN_FAILED, id, 0, slice_text(why), -1);
}

static int keep(const struct chan_message *message, int *fd)
{
	struct served *share = &roles[message->id];
	struct err err;

	if ((*fd < 0) != (message->id >= SHARE_PORTS) || message->code > SHARE_READ_ONLY)
		return -EBADMSG;
	forget(share);
	*share = (struct served){.root = steal_fd(fd), .pidfd = -1, .mode = message->code};
	return start(share, message->id, &err) < 0 ? give_up_share(share, message->id, err.text) : 0;
}

static int on_message(void)
{
	struct chan_message message;
	autofd int fd = -1;
	int r = chan_receive(KEEPER_CHANNEL_FD, &message, &fd);

	if (r <= 0)
		return r < 0 ? r : -EPIPE;
	if (message.id >= KEEPER_ROLES)
		return -EBADMSG;
	if (message.kind == CHAN_KEEP)
		return keep(&message, &fd);
	if (message.kind != CHAN_DROP)
		return -EBADMSG;
	forget(&roles[message.id]);
	return 0;
}

static int on_server_end(struct served *share, uint32_t id)
{
	struct err err;
	int status = 0;

	waitpid(share->pid, &status, 0);
	log_line("role %u ended with %s %d", id, WIFSIGNALED(status) ? "signal" : "status",
		 WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
	share->pid = 0;
	close(steal_fd(&share->pidfd));
	if (clock_ms() - share->started_ms > STEADY_MS)
		share->restarts = 0;
	if (++share->restarts > RESTARTS_MAX)
		return give_up_share(share, id, "it failed again and again");
	return start(share, id, &err) < 0 ? give_up_share(share, id, err.text) : 0;
}

static int turn(void)
{
	struct pollfd fds[KEEPER_ROLES + 1] = {{.fd = KEEPER_CHANNEL_FD, .events = POLLIN}};
	int r = 0;

	for (uint32_t i = 0; i < KEEPER_ROLES; i++)
		fds[i + 1] = (struct pollfd){.fd = roles[i].pidfd, .events = POLLIN};
	if (poll(fds, array_len(fds), -1) < 0)
		return errno == EINTR ? 0 : -errno;
	for (uint32_t i = 0; r == 0 && i < KEEPER_ROLES; i++)
		if (fds[i + 1].revents)
			r = on_server_end(&roles[i], i);
	return r < 0 || !fds[0].revents ? r : on_message();
}

/* What its servers need on their way into their own jail stays. */
static int give_up(void)
{
	static const int needed[] = {SCMP_SYS(fanotify_init), SCMP_SYS(name_to_handle_at), SCMP_SYS(socket)};
	int r = jail_environment();

	r = r < 0 ? r : jail_descriptors(KEEPER_FDS);
	r = r < 0 ? r : jail_limit(RLIMIT_CORE, 0);
	r = r < 0 ? r : jail_privileges(/* may_be_read= */ false);
	r = r < 0 ? r : jail_calls_except_but(needed, array_len(needed));
	return r;
}

int main(void)
{
	int r;

	log_open("sbx-keeper");
	signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; i < KEEPER_ROLES; i++)
		roles[i] = (struct served){.root = -1, .pidfd = -1};
	r = give_up();
	while (r == 0)
		r = turn();
	if (r != -EPIPE)
		log_line("ends: %s", strerror(-r));
	return r == -EPIPE ? EXIT_SUCCESS : EXIT_FAILURE;
}
