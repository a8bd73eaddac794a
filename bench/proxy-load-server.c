/* What proxy-load asks, and what it compares with. */
#include "proxy-load.h"

#include "base/buf.h"
#include "base/fd.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { HEAD_MAX_BYTES = 4096 };

/* ---- server ---- */

struct served {
	int fd;
	size_t head_len, left; /* bytes of the answer's body that are still to be sent */
	char head[HEAD_MAX_BYTES];
	struct buf out;
};

static void serve_close(struct served *served)
{
	close(served->fd);
	buf_done(&served->out);
	free(served);
}

static bool serve_out(struct served *served)
{
	static const char zeros[READ_BYTES];

	while (served->out.len > 0 || served->left > 0) {
		size_t len = served->left < sizeof(zeros) ? served->left : sizeof(zeros);
		ssize_t count;

		if (served->out.len > 0 && served->left < 8192) {
			buf_append(&served->out, slice_of(zeros, served->left));
			served->left = 0;
		}
		count = served->out.len > 0
				? send(served->fd, buf_text(&served->out), served->out.len, MSG_NOSIGNAL)
				: send(served->fd, zeros, len, MSG_NOSIGNAL);
		if (count < 0)
			return errno == EAGAIN;
		if (served->out.len > 0)
			buf_drop(&served->out, (size_t)count);
		else
			served->left -= (size_t)count;
	}
	return true;
}

static bool serve_in(struct served *served)
{
	ssize_t count = recv(served->fd, served->head + served->head_len,
			     sizeof(served->head) - served->head_len - 1, 0);
	char *end;

	if (count <= 0)
		return count < 0 && errno == EAGAIN;
	served->head_len += (size_t)count;
	served->head[served->head_len] = '\0';
	end = strstr(served->head, "\r\n\r\n");
	if (!end)
		return served->head_len < sizeof(served->head) - 1;
	served->head_len = 0;
	served->left = strtoull(strchr(served->head, '/') + 1, NULL, 10);
	buf_printf(&served->out, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", served->left);
	return true;
}

static void serve_event(struct served *served)
{
	if (!serve_in(served) || !serve_out(served))
		serve_close(served);
}

static int listen_at(uint16_t port)
{
	const struct sockaddr_in at = {
		.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
	if (fd < 0 || bind(fd, (const struct sockaddr *)&at, sizeof(at)) < 0 || listen(fd, 4096) < 0)
		die("listen");
	return fd;
}

void serve(uint16_t port)
{
	int listener = listen_at(port), poller = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event events[EVENTS_MAX];

	watch(poller, EPOLL_CTL_ADD, listener, EPOLLIN, NULL);
	for (;;) {
		int count = epoll_wait(poller, events, EVENTS_MAX, -1);

		for (int i = 0; i < count; i++) {
			struct served *served = events[i].data.ptr;

			if (served) {
				serve_event(served);
				continue;
			}
			served = calloc(1, sizeof(*served));
			served->fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
			setsockopt(served->fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
			watch(poller, EPOLL_CTL_ADD, served->fd, EPOLLIN | EPOLLOUT | EPOLLET, served);
		}
	}
}

/* ---- a copy ---- */

static bool pass(int from, int to)
{
	static char scratch[64 << 10];
	ssize_t count = recv(from, scratch, sizeof(scratch), 0);

	return count > 0 && fd_write_all(to, slice_of(scratch, (size_t)count)) == 0;
}

/* One connection at a time, as simple as can be. */
void copy(uint16_t port, uint16_t to)
{
	int listener = listen_at(port);

	for (;;) {
		struct pollfd ends[2] = {{.fd = accept(listener, NULL, NULL), .events = POLLIN},
					 {.fd = connect_to(to), .events = POLLIN}};
		bool goes_on = true;

		while (goes_on && poll(ends, 2, -1) > 0)
			for (int i = 0; goes_on && i < 2; i++)
				if (ends[i].revents)
					goes_on = pass(ends[i].fd, ends[1 - i].fd);
		close(ends[0].fd);
		close(ends[1].fd);
	}
}
