#include "guest/settle.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "guest/docker.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

enum { ENGINE_LIMIT_MS = 240000, TRY_AGAIN_MS = 200, ANSWER_MAX_BYTES = 4096 };

static int connect_engine(void)
{
	autofd int sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	strcpy(address.sun_path, DOCKER_SOCKET);
	if (sock < 0 || connect(sock, (struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	return steal_fd(&sock);
}

/* The socket is there from the start (docker.h): the answer comes when the engine is up. */
static bool ping(int64_t deadline_ms)
{
	autofd int sock = connect_engine();
	auto_buf struct buf answer = {0};

	if (sock < 0 || fd_write_all(sock, slice_text("GET /_ping HTTP/1.0\r\n\r\n")) < 0)
		return false;
	while (answer.len < ANSWER_MAX_BYTES && !strstr(buf_text(&answer), "\r\n")) {
		struct pollfd readable = {.fd = sock, .events = POLLIN};
		int64_t left = deadline_ms - clock_ms();

		if (left <= 0 || poll(&readable, 1, (int)left) <= 0 ||
		    buf_read_fd(&answer, sock, ANSWER_MAX_BYTES) <= 0)
			return false;
	}
	return strstr(buf_text(&answer), " 200 ") != NULL;
}

/* An engine that ends is started again after a while (docker.c), and nobody tells when. */
static int wait_for_engine(void)
{
	int64_t deadline_ms = clock_ms() + ENGINE_LIMIT_MS;

	while (!ping(deadline_ms)) {
		if (clock_ms() > deadline_ms)
			return -ETIME;
		(void)poll(NULL, 0, TRY_AGAIN_MS);
	}
	return 0;
}

int settle_run(void)
{
	int r = access(DOCKER_PROGRAM, X_OK) < 0 ? 0 : wait_for_engine();

	if (r < 0) {
		log_line("the Docker engine does not answer");
		return r;
	}
	/* Dropping caches here would be no gain: the pages keep what was in them, and the first commands have
	 * to read it again. */
	sync();
	return 0;
}
