#include "proxy/relay.h"

#include <errno.h>

enum { READ_BYTES = 64 << 10, READ_LEAST_BYTES = 4 << 10 };

static void done(struct tunnel *tunnel)
{
	outlet_free(tunnel->data);
	tunnel->data = NULL;
}

static void watch(struct tunnel *tunnel)
{
	outlet_read(tunnel->data, tunnel_room(tunnel) >= READ_LEAST_BYTES);
}

/* A server that takes no more may still have something to say. */
static void go_deaf(struct tunnel *tunnel)
{
	tunnel->is_deaf = true;
	tunnel_take(tunnel, tunnel->in.len);
}

static void pass_to_outside(struct tunnel *tunnel)
{
	if (tunnel->is_deaf || !tunnel_pass_on(tunnel, tunnel->data))
		go_deaf(tunnel);
	if (tunnel->guest_ended && tunnel->in.len == 0)
		outlet_end(tunnel->data);
	tunnel_limit(tunnel, TUNNEL_IDLE_MS);
}

static ssize_t receive_inside(struct tunnel *tunnel, size_t limit)
{
	auto_buf struct buf bytes = {0};
	ssize_t count = outlet_receive(tunnel->data, &bytes, limit);

	if (count > 0 && tunnel_send(tunnel, buf_slice(&bytes)) < 0)
		return -EPIPE;
	return count;
}

/* Straight into the stream's queue, where nothing is inside TLS. */
static ssize_t receive(struct tunnel *tunnel)
{
	size_t room = tunnel_room(tunnel);
	size_t limit = room < READ_BYTES ? room : READ_BYTES;
	char *space;
	ssize_t count;

	if (tunnel->tls || outlet_tls(tunnel->data))
		return receive_inside(tunnel, limit);
	space = h2_space(tunnel->stream, limit);
	count = space ? outlet_receive_raw(tunnel->data, space, limit) : -ENOMEM;

	if (count > 0) {
		h2_fill(tunnel->stream, (size_t)count);
		tunnel->record.bytes_out += (size_t)count;
	}
	return count;
}

static void on_readable(void *owner)
{
	struct tunnel *tunnel = owner;
	ssize_t count;

	if (tunnel_room(tunnel) < READ_LEAST_BYTES) {
		watch(tunnel);
		return;
	}
	count = receive(tunnel);
	if (count == -EAGAIN)
		return;
	if (count < 0 && (tunnel->tls || !tunnel->is_deaf)) {
		tunnel_break_off(tunnel);
		return;
	}
	if (count <= 0)
		tunnel_end(tunnel);
	watch(tunnel);
	tunnel_limit(tunnel, TUNNEL_IDLE_MS);
}

static void on_writable(void *owner)
{
	pass_to_outside(owner);
}

static void on_broken(void *owner)
{
	go_deaf(owner);
}

static const struct outlet_ops outlet_ops = {
	.on_readable = on_readable, .on_writable = on_writable, .on_broken = on_broken};

static const struct tunnel_stage relay = {.on_guest = pass_to_outside,
					  .on_room = watch,
					  .on_time = tunnel_close,
					  .on_revoked = tunnel_close,
					  .done = done};

void relay_go_on(struct tunnel *tunnel, struct outlet *outlet)
{
	outlet_set_owner(outlet, &outlet_ops, tunnel);
	tunnel_set_stage(tunnel, &relay, outlet);
	watch(tunnel);
	pass_to_outside(tunnel);
}

void relay_start(struct tunnel *tunnel, int fd)
{
	struct outlet *outlet;

	if (outlet_new(&tunnel->proxy->loop, fd, &outlet_ops, tunnel, &outlet) < 0) {
		tunnel_set_stage(tunnel, tunnel->stage, NULL);
		tunnel_close(tunnel);
		return;
	}
	relay_go_on(tunnel, outlet);
}
