/*
 * How it works
 *   Waiting is edge-triggered: a port whose host end is closed reports hang-up for as long as it lasts, and
 * must cost nothing meanwhile. So reading goes on until there is no more, and writing until the port is full.
 *   A HELLO can come at any time and begins a new session: the streams of the old one are closed, what was
 * queued is dropped. Before the loop waits, what the handlers have queued goes out in one write.
 */
#include "guest/port.h"

#include "base/fd.h"
#include "wire/port.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

enum {
	READ_BYTES = 32768,
	OUT_MAX_BYTES = 256 << 10,
	NAME_ROOM_BYTES = 300,
	/* Longer than the rest of any frame that may be under way; then comes one of an impossible length. */
	BREAK_BYTES = 24 << 10,
};

struct port {
	struct watch watch;
	struct loop *loop;
	const struct port_ops *ops;
	void *owner;
	struct h2 *h2; /* NULL before the first HELLO */
	struct buf in, out;
};

static void end_session(struct port *port)
{
	struct h2 *h2 = port->h2;

	if (!h2)
		return;
	port->h2 = NULL;
	if (port->ops->on_end)
		port->ops->on_end(port->owner);
	h2_free(h2);
}

static void begin_session(struct port *port, const struct port_packet *hello)
{
	end_session(port);
	buf_clear(&port->out);
	/* Out of memory: the host hears nothing and tries again. */
	if (port_append_answer(&port->out, hello->nonce) == 0)
		(void)port->ops->on_begin(port->owner, &port->h2);
}

/* A host that breaks the protocol is answered with silence until its next HELLO. */
static void take(struct port *port, const struct port_packet *packet)
{
	if (packet->kind == PORT_HELLO)
		begin_session(port, packet);
	else if (port->h2 && h2_feed(port->h2, packet->data) < 0)
		end_session(port);
}

static void take_packets(struct port *port)
{
	struct port_packet packet;
	enum parsed parsed;
	size_t used;

	do {
		parsed = port_parse(buf_slice(&port->in), &packet, &used);
		if (parsed == PARSED_OK)
			take(port, &packet);
		else if (parsed == PARSED_BAD)
			end_session(port);
		buf_drop(&port->in, used);
	} while (parsed != PARSED_MORE);
}

static void on_event(struct watch *watch, uint32_t events)
{
	struct port *port = holder_of(watch, struct port, watch);
	ssize_t count;

	if (!(events & EPOLLIN))
		return;
	do {
		count = buf_read_fd(&port->in, watch->fd, READ_BYTES);
		if (count > 0)
			take_packets(port);
	} while (count > 0);
}

bool port_flush(struct port *port)
{
	ssize_t count = 0;

	for (;;) {
		if (port->h2 && port->out.len < OUT_MAX_BYTES &&
		    h2_drain(port->h2, &port->out, OUT_MAX_BYTES) < 0)
			end_session(port);
		if (port->out.len == 0)
			return true;
		count = buf_write_fd(&port->out, port->watch.fd);
		if (count <= 0)
			return false;
	}
}

int port_break_session(struct port *port)
{
	char *space = buf_space(&port->out, BREAK_BYTES);

	if (!space)
		return -ENOMEM;
	memset(space, 0xff, BREAK_BYTES);
	buf_grow(&port->out, BREAK_BYTES);
	return 0;
}

int port_new(struct loop *loop, int fd, const struct port_ops *ops, void *owner, struct port **ret)
{
	struct port *port = calloc(1, sizeof(*port));
	int r = port ? 0 : -ENOMEM;

	if (r < 0) {
		close(fd);
		return r;
	}
	*port = (struct port){
		.watch = {.on_event = on_event, .fd = fd}, .loop = loop, .ops = ops, .owner = owner};
	r = loop_watch(loop, &port->watch, EPOLLIN | EPOLLOUT | EPOLLET);
	if (r < 0) {
		port_free(port);
		return r;
	}
	*ret = port;
	return 0;
}

void port_free(struct port *port)
{
	if (!port)
		return;
	end_session(port);
	loop_close(port->loop, &port->watch);
	buf_done(&port->in);
	buf_done(&port->out);
	free(port);
}

static bool has_name(const char *device, const char *name)
{
	char path[NAME_ROOM_BYTES];
	auto_buf struct buf text = {0};
	autofd int fd = -1;

	snprintf(path, sizeof(path), "/sys/class/virtio-ports/%s/name", device);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fd_read_all(fd, 256, &text) < 0)
		return false;
	return slice_is(slice_of(buf_text(&text), strcspn(buf_text(&text), "\n")), name);
}

int port_open(const char *name)
{
	DIR *dir = opendir("/sys/class/virtio-ports");
	const struct dirent *entry;
	char path[NAME_ROOM_BYTES];
	int fd = -ENOENT;

	if (!dir)
		return -errno;
	while (fd == -ENOENT && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.' || !has_name(entry->d_name, name))
			continue;
		snprintf(path, sizeof(path), "/dev/%s", entry->d_name);
		fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
		fd = fd < 0 ? -errno : fd;
	}
	closedir(dir);
	return fd;
}
