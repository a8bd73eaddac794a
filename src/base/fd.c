#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>

enum { FDS_MAX = 8, READ_STEP_BYTES = 65536, LISTEN_BACKLOG = 64 };

int fd_set_nonblock(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return -errno;
	return 0;
}

int fd_set_cloexec(int fd, bool on)
{
	return fcntl(fd, F_SETFD, on ? FD_CLOEXEC : 0) < 0 ? -errno : 0;
}

int fd_write_all(int fd, struct slice bytes)
{
	while (bytes.len > 0) {
		ssize_t count = write(fd, bytes.ptr, bytes.len);

		if (count < 0 && errno == EINTR)
			continue;
		if (count < 0)
			return -errno;
		bytes = slice_skip(bytes, (size_t)count);
	}
	return 0;
}

int fd_read_all(int fd, size_t limit, struct buf *ret)
{
	for (;;) {
		ssize_t count = buf_read_fd(ret, fd, READ_STEP_BYTES);

		if (count <= 0)
			return (int)count;
		if (ret->len > limit)
			return -EFBIG;
	}
}

ssize_t fd_send(int sock, struct slice bytes, const int *fds, size_t count)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(FDS_MAX * sizeof(int))];
	} control = {0};
	struct iovec iov = {.iov_base = (void *)(uintptr_t)bytes.ptr, .iov_len = bytes.len};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	ssize_t sent;

	if (count > FDS_MAX)
		return -EINVAL;
	if (count > 0) {
		struct cmsghdr *head = &control.align;

		msg.msg_control = control.bytes;
		msg.msg_controllen = CMSG_SPACE(count * sizeof(int));
		head->cmsg_level = SOL_SOCKET;
		head->cmsg_type = SCM_RIGHTS;
		head->cmsg_len = CMSG_LEN(count * sizeof(int));
		memcpy(CMSG_DATA(head), fds, count * sizeof(int));
	}
	do
		sent = sendmsg(sock, &msg, MSG_NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	return sent < 0 ? -errno : sent;
}

static size_t take_fds(struct msghdr *msg, int *fds, size_t max, bool *overflow)
{
	size_t taken = 0;

	for (struct cmsghdr *head = CMSG_FIRSTHDR(msg); head; head = CMSG_NXTHDR(msg, head)) {
		size_t here;

		if (head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_RIGHTS)
			continue;
		here = (head->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < here; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(head) + i * sizeof(int), sizeof(fd));
			if (taken < max) {
				fds[taken++] = fd;
			} else {
				close(fd);
				*overflow = true;
			}
		}
	}
	return taken;
}

ssize_t fd_receive(int sock, void *into, size_t room, int *ret_fds, size_t max, size_t *ret_count)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(FDS_MAX * sizeof(int))];
	} control;
	struct iovec iov = {.iov_base = into, .iov_len = room};
	struct msghdr msg = {.msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = control.bytes,
			     .msg_controllen = sizeof(control.bytes)};
	bool overflow = false;
	size_t taken;
	ssize_t count;

	do
		count = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC);
	while (count < 0 && errno == EINTR);
	if (count < 0)
		return -errno;
	taken = take_fds(&msg, ret_fds, max, &overflow);
	if (overflow || (msg.msg_flags & (MSG_CTRUNC | MSG_TRUNC))) {
		while (taken > 0)
			close(ret_fds[--taken]);
		return -EMSGSIZE;
	}
	*ret_count = taken;
	return count;
}

/* sun_path holds 108 bytes; going through the folder's descriptor makes the length of its path not matter. */
static int unix_address(int dir_fd, const char *name, struct sockaddr_un *ret)
{
	int len;

	*ret = (struct sockaddr_un){.sun_family = AF_UNIX};
	len = snprintf(ret->sun_path, sizeof(ret->sun_path), "/proc/self/fd/%d/%s", dir_fd, name);
	return len < (int)sizeof(ret->sun_path) ? 0 : -ENAMETOOLONG;
}

int fd_connect_unix(int dir_fd, const char *name)
{
	autofd int sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un address;
	int r;

	if (sock < 0)
		return -errno;
	r = unix_address(dir_fd, name, &address);
	if (r < 0)
		return r;
	if (connect(sock, (struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	return steal_fd(&sock);
}

int fd_listen_unix(int dir_fd, const char *name)
{
	autofd int sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un address;
	int r;

	if (sock < 0)
		return -errno;
	r = unix_address(dir_fd, name, &address);
	if (r < 0)
		return r;
	if (bind(sock, (struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	if (listen(sock, LISTEN_BACKLOG) < 0)
		return -errno;
	return steal_fd(&sock);
}
