/*
 * The host's end of a sandbox's control port. Lives with its supervisor, reads what the guest writes, and has
 * nothing but the descriptors of link.h: no files, no other programs, no network.
 */
#include "link/link.h"

#include "base/fd.h"
#include "base/jail.h"
#include "base/log.h"
#include "link/client.h"
#include "link/console.h"
#include "link/request.h"
#include "wire/chan.h"
#include "wire/control.h"

#include <errno.h>
#include <seccomp.h>
#include <stdlib.h>

enum { FILES_MAX = 2048, FILE_MAX_BYTES = 4 * CONSOLE_LOG_MAX_BYTES };

struct link {
	uv_loop_t loop;
	uv_poll_t channel;
	struct console console, engine;
	struct session *session;
};

/* The link's life is its session's: the supervisor starts another with a fresh handshake. */
static _Noreturn void leave(const char *why, bool is_port_closed)
{
	(void)chan_send(LINK_CHANNEL_FD, CHAN_LOST, 0, is_port_closed, slice_text(why), -1);
	exit(EXIT_FAILURE);
}

static void on_ready(void *owner, unsigned version)
{
	(void)owner;
	if (chan_send(LINK_CHANNEL_FD, CHAN_READY, 0, version, slice_text(""), -1) < 0)
		exit(EXIT_FAILURE);
}

static void on_lost(void *owner, const char *why, bool is_port_closed)
{
	(void)owner;
	leave(why, is_port_closed);
}

static void take(struct link *link, const struct chan_message *message, int fd)
{
	int r = 0;

	if (message->kind == CHAN_STREAM && fd >= 0 && strcmp(message->body, CONTROL_EXEC) == 0) {
		(void)client_start(&link->loop, link->session, fd, message->body);
		return;
	}
	if (message->kind == CHAN_REQUEST)
		r = request_start(link->session, LINK_CHANNEL_FD, message->id,
				  slice_of(message->body, message->body_len), fd);
	if (r < 0)
		(void)chan_send(LINK_CHANNEL_FD, CHAN_REPLY, message->id, 0, slice_text(""), -1);
	if (fd >= 0)
		close(fd);
}

static void on_channel(uv_poll_t *poll, int status, int events)
{
	struct link *link = poll->data;
	struct chan_message message;
	int fd, r;

	(void)events;
	r = status < 0 ? status : chan_receive(LINK_CHANNEL_FD, &message, &fd);
	if (r == -EAGAIN)
		return;
	if (r <= 0)
		exit(r == 0 ? EXIT_SUCCESS : EXIT_FAILURE); /* the supervisor is gone */
	take(link, &message, fd);
}

static int start(struct link *link)
{
	static const struct session_ops ops = {.on_ready = on_ready, .on_lost = on_lost};
	int r = uv_loop_init(&link->loop);

	r = r < 0 ? r : fd_set_nonblock(LINK_CHANNEL_FD);
	r = r < 0 ? r : uv_poll_init(&link->loop, &link->channel, LINK_CHANNEL_FD);
	if (r < 0)
		return r;
	link->channel.data = link;
	r = uv_poll_start(&link->channel, UV_READABLE, on_channel);
	r = r < 0 ? r : console_start(&link->console, &link->loop, LINK_CONSOLE_FD, LINK_CONSOLE_LOG_FD);
	r = r < 0 ? r : console_start(&link->engine, &link->loop, LINK_ENGINE_FD, LINK_ENGINE_LOG_FD);
	return r < 0 ? r : session_start(&link->loop, LINK_CONTROL_FD, &ops, link, &link->session);
}

/* The event loop, the descriptors, and memory: no file is opened, no program started, no connection made. */
static int give_up(void)
{
	static const int calls[] = {
		SCMP_SYS(read),          SCMP_SYS(write),         SCMP_SYS(recvmsg),
		SCMP_SYS(sendmsg),       SCMP_SYS(close),         SCMP_SYS(fcntl),
		SCMP_SYS(ioctl),         SCMP_SYS(lseek),         SCMP_SYS(ftruncate),
		SCMP_SYS(fstat),         SCMP_SYS(newfstatat),    SCMP_SYS(getrandom),
		SCMP_SYS(clock_gettime), SCMP_SYS(epoll_create1), SCMP_SYS(epoll_ctl),
		SCMP_SYS(epoll_wait),    SCMP_SYS(epoll_pwait),   SCMP_SYS(eventfd2),
		SCMP_SYS(pipe2),         SCMP_SYS(brk),           SCMP_SYS(mmap),
		SCMP_SYS(munmap),        SCMP_SYS(mremap),        SCMP_SYS(mprotect),
		SCMP_SYS(madvise),       SCMP_SYS(futex),         SCMP_SYS(rt_sigprocmask),
		SCMP_SYS(rt_sigaction),  SCMP_SYS(rt_sigreturn),  SCMP_SYS(restart_syscall),
		SCMP_SYS(getpid),        SCMP_SYS(exit),          SCMP_SYS(exit_group),
	};
	int r = jail_environment();

	r = r < 0 ? r : jail_descriptors(LINK_FDS);
	r = r < 0 ? r : jail_limits(FILES_MAX, FILE_MAX_BYTES);
	r = r < 0 ? r : jail_privileges(/* may_be_read= */ false);
	r = r < 0 ? r : jail_files(NULL, 0);
	if (r == -EOPNOTSUPP) {
		log_line("this host has no Landlock: only seccomp keeps this process from files");
		r = 0;
	}
	return r < 0 ? r : jail_calls_only(calls, array_len(calls));
}

int main(void)
{
	struct link link = {0};
	int r;

	log_open("sbx-link");
	r = give_up();
	r = r < 0 ? r : start(&link);
	if (r < 0) {
		log_line("cannot start: %s", uv_strerror(r));
		return EXIT_FAILURE;
	}
	uv_run(&link.loop, UV_RUN_DEFAULT);
	return EXIT_SUCCESS;
}
