/*
 * The way out of one sandbox. Lives with its supervisor, reads what the guest and what servers write, and may
 * make connections; it has no files, and starts no programs. Rules and settings come over its channel.
 */
#include "base/jail.h"
#include "base/log.h"
#include "proxy/journal.h"
#include "proxy/leaf.h"
#include "proxy/orders.h"
#include "proxy/proxy-fds.h"
#include "proxy/resolve.h"
#include "proxy/tls.h"

#include <errno.h>
#include <malloc.h>
#include <seccomp.h>
#include <signal.h>
#include <stdlib.h>

enum {
	FILES_MAX = 32768,
	LOG_MAX_BYTES = 16 << 20,
	HEAP_BLOCK_MAX_BYTES = 1 << 20, /* larger ones are mapped and unmapped each time */
	HEAP_KEPT_BYTES = 16 << 20,     /* free at the heap's end, before it goes back to the system */
};

/* Sockets for the Internet, the event loop, the descriptors, and memory. */
static int give_up_calls(void)
{
	static const int calls[] = {
		SCMP_SYS(read),         SCMP_SYS(write),         SCMP_SYS(writev),
		SCMP_SYS(recvmsg),      SCMP_SYS(sendmsg),       SCMP_SYS(recvfrom),
		SCMP_SYS(sendto),       SCMP_SYS(connect),       SCMP_SYS(getsockopt),
		SCMP_SYS(setsockopt),   SCMP_SYS(getsockname),   SCMP_SYS(getpeername),
		SCMP_SYS(shutdown),     SCMP_SYS(close),         SCMP_SYS(fcntl),
		SCMP_SYS(ioctl),        SCMP_SYS(lseek),         SCMP_SYS(fstat),
		SCMP_SYS(newfstatat),   SCMP_SYS(getrandom),     SCMP_SYS(clock_gettime),
		SCMP_SYS(gettimeofday), SCMP_SYS(epoll_create1), SCMP_SYS(epoll_ctl),
		SCMP_SYS(epoll_wait),   SCMP_SYS(epoll_pwait),   SCMP_SYS(eventfd2),
		SCMP_SYS(pipe2),        SCMP_SYS(brk),           SCMP_SYS(mmap),
		SCMP_SYS(munmap),       SCMP_SYS(mremap),        SCMP_SYS(mprotect),
		SCMP_SYS(madvise),      SCMP_SYS(futex),         SCMP_SYS(rt_sigprocmask),
		SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigreturn),  SCMP_SYS(restart_syscall),
		SCMP_SYS(getpid),       SCMP_SYS(exit),          SCMP_SYS(exit_group),
	};

	return jail_calls_only_inet(calls, array_len(calls));
}

/* The resolver and the library for TLS read the system's files once, and keep nothing of them; after that
 * there are none. */
static int give_up(struct proxy *proxy)
{
	int r = jail_environment();

	r = r < 0 ? r : jail_descriptors(PROXY_FDS);
	r = r < 0 ? r : jail_limits(FILES_MAX, LOG_MAX_BYTES);
	r = r < 0 ? r : uv_loop_init(&proxy->loop);
	r = r < 0 ? r : resolver_new(&proxy->loop, &proxy->resolver);
	r = r < 0 ? r : tls_prepare();
	r = r < 0 ? r : jail_privileges(/* may_be_read= */ false);
	r = r < 0 ? r : jail_files_but_tcp(NULL, 0);
	if (r == -EOPNOTSUPP) {
		log_line("this host has no Landlock: only seccomp keeps this process from files");
		r = 0;
	}
	return r < 0 ? r : give_up_calls();
}

int main(void)
{
	static struct proxy proxy;
	int r;

	log_open("sbx-proxy");
	policy_init(&proxy.policy);
	signal(SIGPIPE, SIG_IGN);
	mallopt(M_MMAP_THRESHOLD, HEAP_BLOCK_MAX_BYTES);
	mallopt(M_TRIM_THRESHOLD, HEAP_KEPT_BYTES);
	r = give_up(&proxy);
	r = r < 0 ? r : journal_new(PROXY_CHANNEL_FD, &proxy.journal);
	r = r < 0 ? r : tls_settings_new(&proxy.tls);
	r = r < 0 ? r : vault_new(&proxy.loop, &proxy.vault);
	r = r < 0 ? r : leaves_new(proxy.vault, &proxy.leaves);
	r = r < 0 ? r : orders_start(&proxy);
	if (r < 0) {
		log_line("cannot start: %s", strerror(-r));
		return EXIT_FAILURE;
	}
	uv_run(&proxy.loop, UV_RUN_DEFAULT);
	return EXIT_SUCCESS;
}
