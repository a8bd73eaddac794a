/*
 * sbx-share: serves one folder, or one file, to one guest over one of its share ports. Reads what the guest
 * writes, and has nothing but that folder, that port and a channel to its supervisor.
 */
#include "share/share-main.h"

#include "base/jail.h"
#include "base/log.h"
#include "share/server.h"
#include "share/watch.h"

#include <errno.h>
#include <seccomp.h>
#include <signal.h>
#include <string.h>
#include <sys/random.h>

/* 40 random bits say where a server's numbers begin. */
enum { FILES_MAX = 1 << 17, THREADS = 4, NUMBER_SHIFT = 24, NUMBER_ROOM_BITS = 20 };

/* The folder, its files, and memory: no program is started and no connection made. */
static int give_up_calls(void)
{
	static const int calls[] = {
		SCMP_SYS(read),
		SCMP_SYS(recvmsg),
		SCMP_SYS(sendmsg),
		SCMP_SYS(write),
		SCMP_SYS(writev),
		SCMP_SYS(pread64),
		SCMP_SYS(preadv2),
		SCMP_SYS(pwritev2),
		SCMP_SYS(close),
		SCMP_SYS(poll),
		SCMP_SYS(ppoll),
		SCMP_SYS(fcntl),
		SCMP_SYS(openat),
		SCMP_SYS(openat2),
		SCMP_SYS(fstat),
		SCMP_SYS(futex),
		SCMP_SYS(name_to_handle_at),
		SCMP_SYS(newfstatat),
		SCMP_SYS(statx),
		SCMP_SYS(fstatfs),
		SCMP_SYS(mkdirat),
		SCMP_SYS(mknodat),
		SCMP_SYS(symlinkat),
		SCMP_SYS(linkat),
		SCMP_SYS(unlinkat),
		SCMP_SYS(renameat),
		SCMP_SYS(renameat2),
		SCMP_SYS(readlinkat),
		SCMP_SYS(getdents64),
		SCMP_SYS(lseek),
		SCMP_SYS(ftruncate),
		SCMP_SYS(fallocate),
		SCMP_SYS(fchmod),
		SCMP_SYS(fchmodat),
		SCMP_SYS(utimensat),
		SCMP_SYS(fsync),
		SCMP_SYS(fdatasync),
		SCMP_SYS(getxattr),
		SCMP_SYS(lgetxattr),
		SCMP_SYS(setxattr),
		SCMP_SYS(removexattr),
		SCMP_SYS(fgetxattr),
		SCMP_SYS(fsetxattr),
		SCMP_SYS(flistxattr),
		SCMP_SYS(fremovexattr),
		SCMP_SYS(copy_file_range),
		SCMP_SYS(clock_gettime),
		SCMP_SYS(getrandom),
		SCMP_SYS(brk),
		SCMP_SYS(mmap),
		SCMP_SYS(munmap),
		SCMP_SYS(mremap),
		SCMP_SYS(mprotect),
		SCMP_SYS(madvise),
		SCMP_SYS(rt_sigreturn),
		SCMP_SYS(restart_syscall),
		SCMP_SYS(rt_sigprocmask),
		SCMP_SYS(exit),
		SCMP_SYS(exit_group),
	};

	/* Only what can be opened may be watched. */
	static const struct jail_narrow narrow[] = {{.call = SCMP_SYS(fanotify_mark), .argument = 4}};

	return jail_calls_only_and(calls, array_len(calls), narrow, array_len(narrow));
}

static int give_up_files(bool is_read_only)
{
	const struct jail_rule rules[] = {
		{.fd = SHARE_ROOT_FD, .access = is_read_only ? JAIL_READ : JAIL_READ | JAIL_WRITE}};
	int r = jail_environment();

	r = r < 0 ? r : jail_descriptors(SHARE_FDS);
	r = r < 0 ? r : jail_limits(FILES_MAX, 0);
	r = r < 0 ? r : jail_privileges(/* may_be_read= */ false);
	r = r < 0 ? r : jail_files(rules, array_len(rules));
	if (r == -EOPNOTSUPP) {
		log_line("this host has no Landlock: only seccomp and openat2 keep this process in its "
			 "folder");
		r = 0;
	}
	return r;
}

/* Without the right to be told of more than single folders. */
static int watch(struct share *share)
{
	int group = watch_open();
	int r = group < 0 ? group : share_watch(share, group);

	if (r < 0 && r != -ENOMEM)
		log_line("the folder cannot be watched (%s): changes made on the host show inside after a "
			 "second",
			 strerror(-r));
	return r == -ENOMEM ? r : 0;
}

/* Numbers of a server that has died without a word are not used again: each begins at a place of its own. */
static int number_from_anywhere(struct share *share)
{
	uint64_t place;

	if (getrandom(&place, sizeof(place), 0) != sizeof(place))
		return -EIO;
	share_number_from(share, place >> NUMBER_SHIFT << NUMBER_ROOM_BITS);
	return 0;
}

int main(int argc, char **argv)
{
	bool is_read_only = argc == 2 && strcmp(argv[1], "ro") == 0;
	struct server *server = NULL;
	struct share *share = NULL;
	int r;

	log_open("sbx-share");
	signal(SIGPIPE, SIG_IGN);
	r = argc == 2 ? give_up_files(is_read_only) : -EINVAL;
	r = r < 0 ? r : share_new(SHARE_ROOT_FD, is_read_only, &share);
	r = r < 0 ? r : watch(share);
	r = r < 0 ? r : share_start_threads(share, THREADS);
	r = r < 0 ? r : give_up_calls();
	r = r < 0 ? r : number_from_anywhere(share);
	r = r < 0 ? r : server_new(share, SHARE_CHANNEL_FD, &server);
	while (r == 0)
		r = server_turn(server);
	if (r != -EPIPE)
		log_line("ends: %s", strerror(-r));
	server_free(server);
	share_free(share);
	return r == -EPIPE ? EXIT_SUCCESS : EXIT_FAILURE;
}
