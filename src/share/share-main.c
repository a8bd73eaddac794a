/*
 * sbx-share: serves one folder to one guest over one of its share ports. Reads what the guest writes, and has
 * nothing but that folder and that port.
 */
#include "share/share-main.h"

#include "base/fd.h"
#include "base/jail.h"
#include "base/log.h"
#include "share/request.h"
#include "share/share.h"
#include "wire/port.h"

#include <errno.h>
#include <poll.h>
#include <seccomp.h>
#include <signal.h>
#include <string.h>
#include <sys/random.h>

enum { FILES_MAX = 1 << 19, READ_BYTES = 256 << 10, QUEUED_MAX_BYTES = 4 << 20 };

struct serving {
	struct share *share;
	struct buf in, out, reply;
	uint8_t nonce[PORT_NONCE_BYTES];
	bool is_greeted;
};

static int find_answer(struct serving *serving)
{
	uint8_t version = 0;
	size_t used;
	enum parsed parsed = port_find_answer(buf_slice(&serving->in), serving->nonce, &used, &version);

	buf_drop(&serving->in, used);
	serving->is_greeted = parsed == PARSED_OK;
	return parsed == PARSED_OK && version != PORT_VERSION ? -EPROTO : 0;
}

/* Stops where the guest does not take its answers: then it is not read either. */
static int serve_requests(struct serving *serving)
{
	size_t len;
	int r = 0;

	while (r == 0 && serving->out.len < QUEUED_MAX_BYTES) {
		enum parsed parsed = request_frame(buf_slice(&serving->in), &len);

		if (parsed != PARSED_OK)
			return parsed == PARSED_BAD ? -EPROTO : 0;
		buf_clear(&serving->reply);
		r = share_handle(serving->share, slice_of(buf_text(&serving->in), len), &serving->reply);
		r = r < 0 ? r : port_append_data(&serving->out, buf_slice(&serving->reply));
		buf_drop(&serving->in, len);
	}
	return r;
}

static int turn(struct serving *serving)
{
	bool may_read = serving->out.len < QUEUED_MAX_BYTES;
	struct pollfd port = {
		.fd = SHARE_PORT_FD,
		.events = (short)((may_read ? POLLIN : 0) | (serving->out.len > 0 ? POLLOUT : 0))};
	ssize_t count = 0;
	int r = 0;

	if (poll(&port, 1, -1) < 0)
		return errno == EINTR ? 0 : -errno;
	if (may_read && (port.revents & (POLLIN | POLLHUP))) {
		count = buf_read_fd(&serving->in, SHARE_PORT_FD, READ_BYTES);
		if (count == 0)
			return -EPIPE;
	}
	if (count < 0 && count != -EAGAIN)
		return (int)count;
	if (!serving->is_greeted)
		r = find_answer(serving);
	if (r == 0 && serving->is_greeted)
		r = serve_requests(serving);
	if (r == 0 && serving->out.len > 0)
		count = buf_write_fd(&serving->out, SHARE_PORT_FD);
	return r < 0 ? r : count < 0 && count != -EAGAIN ? (int)count : 0;
}

/* The folder, its files, and memory: no program is started and no connection made. */
static int give_up(bool is_read_only)
{
	static const int calls[] = {
		SCMP_SYS(read),
		SCMP_SYS(write),
		SCMP_SYS(pread64),
		SCMP_SYS(pwrite64),
		SCMP_SYS(close),
		SCMP_SYS(poll),
		SCMP_SYS(ppoll),
		SCMP_SYS(fcntl),
		SCMP_SYS(openat),
		SCMP_SYS(openat2),
		SCMP_SYS(fstat),
		SCMP_SYS(newfstatat),
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
		SCMP_SYS(fchmodat),
		SCMP_SYS(utimensat),
		SCMP_SYS(fsync),
		SCMP_SYS(fdatasync),
		SCMP_SYS(getxattr),
		SCMP_SYS(setxattr),
		SCMP_SYS(removexattr),
		SCMP_SYS(fgetxattr),
		SCMP_SYS(fsetxattr),
		SCMP_SYS(flistxattr),
		SCMP_SYS(fremovexattr),
		SCMP_SYS(copy_file_range),
		SCMP_SYS(geteuid),
		SCMP_SYS(getegid),
		SCMP_SYS(getrandom),
		SCMP_SYS(brk),
		SCMP_SYS(mmap),
		SCMP_SYS(munmap),
		SCMP_SYS(mremap),
		SCMP_SYS(mprotect),
		SCMP_SYS(madvise),
		SCMP_SYS(rt_sigreturn),
		SCMP_SYS(restart_syscall),
		SCMP_SYS(exit_group),
	};
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
	return r < 0 ? r : jail_calls_only(calls, array_len(calls));
}

int main(int argc, char **argv)
{
	struct serving serving = {.is_greeted = false};
	bool is_read_only = argc == 2 && strcmp(argv[1], "ro") == 0;
	int r;

	log_open("sbx-share");
	signal(SIGPIPE, SIG_IGN);
	r = argc == 2 ? give_up(is_read_only) : -EINVAL;
	r = r < 0 ? r : share_new(SHARE_ROOT_FD, is_read_only, &serving.share);
	if (r == 0 && getrandom(serving.nonce, sizeof(serving.nonce), 0) != sizeof(serving.nonce))
		r = -EIO;
	r = r < 0 ? r : fd_set_nonblock(SHARE_PORT_FD);
	r = r < 0 ? r : port_append_hello(&serving.out, serving.nonce);
	while (r == 0)
		r = turn(&serving);
	log_line("ends: %s", strerror(-r));
	return r == -EPIPE ? EXIT_SUCCESS : EXIT_FAILURE;
}
