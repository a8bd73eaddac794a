#include "link/console.h"

#include "base/fd.h"
#include "base/text.h"

#include <errno.h>

enum { READ_BYTES = 4096 };

/* A guest that talks without end keeps the newest part: the log starts again when it is full. */
static void keep_small(int log)
{
	static const char note[] = "[what was said earlier has been dropped]\n";

	if (lseek(log, 0, SEEK_CUR) < CONSOLE_LOG_MAX_BYTES)
		return;
	if (ftruncate(log, 0) == 0 && lseek(log, 0, SEEK_SET) == 0)
		(void)fd_write_all(log, slice_text(note));
}

static void on_console(uv_poll_t *poll, int status, int events)
{
	struct console *console = poll->data;
	auto_buf struct buf raw = {0};
	auto_buf struct buf shown = {0};
	ssize_t count = buf_read_fd(&raw, console->fd, READ_BYTES);

	(void)events;
	if (count == -EAGAIN)
		return;
	if (status < 0 || count <= 0) {
		uv_poll_stop(poll);
		return;
	}
	/* A serial console ends its lines with \r\n. */
	for (char *at = (char *)(uintptr_t)buf_text(&raw); at < buf_text(&raw) + raw.len; at++)
		if (*at == '\r')
			*at = '\n';
	if (text_printable(&shown, buf_slice(&raw), true) == 0)
		(void)fd_write_all(console->log, buf_slice(&shown));
	keep_small(console->log);
}

int console_start(struct console *console, uv_loop_t *loop, int fd, int log)
{
	int r = fd_set_nonblock(fd);

	if (r < 0)
		return r;
	*console = (struct console){.fd = fd, .log = log, .poll = {.data = console}};
	lseek(log, 0, SEEK_END);
	r = uv_poll_init(loop, &console->poll, fd);
	console->poll.data = console;
	return r < 0 ? r : uv_poll_start(&console->poll, UV_READABLE, on_console);
}
