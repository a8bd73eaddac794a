#include "proxy/hub.h"

#include "proxy/flow.h"
#include "proxy/ways.h"

#include <errno.h>
#include <stdlib.h>

enum { HEAD_MAX_BYTES = 32 << 10, STREAMS_MAX = 100 };

/* A client that resets more than this has no use for the answers (CVE-2023-44487). */
static const struct h2_limits limits = {.streams = STREAMS_MAX,
					.session_window_bytes = 4 << 20,
					.resets = 1000,
					.resets_per_second = 100,
					.head_bytes = HEAD_MAX_BYTES};

struct hub {
	struct tunnel *tunnel; /* that carries it */
	struct h2 *h2;
	struct ways *ways;    /* kept for its streams */
	uv_prepare_t prepare; /* before the loop waits: one write for all that a turn has queued */
	bool is_over;
};

static void free_hub(uv_handle_t *handle)
{
	free(handle->data);
}

static void done(struct tunnel *tunnel)
{
	struct hub *hub = tunnel->data;

	hub->is_over = true;
	h2_free(hub->h2);
	ways_leave(hub->ways);
	uv_close((uv_handle_t *)&hub->prepare, free_hub);
	tunnel->data = NULL;
}

static void write_out(struct hub *hub)
{
	struct tunnel *tunnel = hub->tunnel;
	size_t room = tunnel_room(tunnel);
	auto_buf struct buf out = {0};
	int r = room > 0 ? h2_drain(hub->h2, &out, room) : 0;

	if (r == 0 && out.len > 0)
		r = tunnel_send(tunnel, buf_slice(&out));
	if (r < 0)
		tunnel_close(tunnel);
	else if (h2_is_over(hub->h2) && room > 0)
		tunnel_leave(tunnel, slice_of("", 0));
}

static void on_prepare(uv_prepare_t *prepare)
{
	write_out(prepare->data);
}

static void on_guest(struct tunnel *tunnel)
{
	struct hub *hub = tunnel->data;
	int r = h2_feed(hub->h2, buf_slice(&tunnel->in));

	tunnel_take(tunnel, tunnel->in.len);
	tunnel_limit(tunnel, TUNNEL_IDLE_MS);
	/* Why goes out before the end. */
	if (r < 0)
		write_out(hub);
	if (tunnel->data == hub && (r < 0 || tunnel->guest_ended))
		tunnel_close(tunnel);
}

static void on_room(struct tunnel *tunnel)
{
	write_out(tunnel->data);
}

/* Streams have limits of their own, and say why they end. */
static void on_time(struct tunnel *tunnel)
{
	const struct hub *hub = tunnel->data;

	if (h2_count(hub->h2) > 0)
		tunnel_limit(tunnel, TUNNEL_IDLE_MS);
	else
		tunnel_close(tunnel);
}

static int on_request(void *owner, struct h2_stream *stream, const char *method, const char *path)
{
	struct hub *hub = owner;
	struct tunnel *tunnel;
	int r = tunnel_new_inner(hub->tunnel, stream, &tunnel);

	(void)method, (void)path;
	if (r == 0)
		flow_start_stream(tunnel);
	return r;
}

static const struct tunnel_stage stage = {.on_guest = on_guest,
					  .on_room = on_room,
					  .on_time = on_time,
					  .on_revoked = tunnel_close,
					  .done = done};

void hub_start(struct tunnel *tunnel)
{
	static const struct h2_ops ops = HANDLER_H2_OPS(on_request);
	struct hub *hub = calloc(1, sizeof(*hub));
	int r = hub ? ways_use(tunnel->proxy, &tunnel->host, tunnel->port, &hub->ways) : -ENOMEM;

	r = r < 0 ? r : h2_new_server_limited(&ops, hub, &limits, &hub->h2);
	r = r < 0 ? r : uv_prepare_init(&tunnel->proxy->loop, &hub->prepare);
	if (r < 0) {
		if (hub)
			ways_leave(hub->ways);
		free(hub);
		tunnel_close(tunnel);
		return;
	}
	hub->tunnel = tunnel;
	hub->prepare.data = hub;
	uv_prepare_start(&hub->prepare, on_prepare);
	tunnel_set_stage(tunnel, &stage, hub);
	on_guest(tunnel);
}
