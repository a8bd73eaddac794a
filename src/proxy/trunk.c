#include "proxy/trunk.h"

#include <errno.h>
#include <stdlib.h>

enum {
	READ_BYTES = 64 << 10,
	WAITING_MAX_BYTES = 256 << 10,
	HEAD_MAX_BYTES = 32 << 10,
	WINDOW_MAX_BYTES = 4 << 20,
	WINDOWS_BYTES = 16 << 20,
};

static const struct h2_limits limits = {.streams = 0,
					.session_window_bytes = 8 << 20,
					.is_session_window_free = true,
					.resets = 1 << 20,
					.resets_per_second = 1 << 20,
					.head_bytes = HEAD_MAX_BYTES};

struct trunk {
	struct proxy *proxy;
	struct outlet *outlet;
	struct h2 *h2;
	uv_prepare_t prepare; /* before the loop waits: one write for all that a turn has queued */
	void (*on_over)(void *owner, struct trunk *trunk);
	void *owner;
	bool is_over;
};

static void free_trunk(uv_handle_t *handle)
{
	free(handle->data);
}

void trunk_free(struct trunk *trunk)
{
	if (!trunk || trunk->is_over)
		return;
	trunk->is_over = true;
	h2_free(trunk->h2);
	outlet_free(trunk->outlet);
	uv_close((uv_handle_t *)&trunk->prepare, free_trunk);
}

static void end(struct trunk *trunk)
{
	void (*on_over)(void *owner, struct trunk *trunk) = trunk->on_over;
	void *owner = trunk->owner;

	if (trunk->is_over)
		return;
	on_over(owner, trunk);
	trunk_free(trunk);
}

/* Until there is nothing more, or it waits for the server. */
static void write_out(struct trunk *trunk)
{
	bool has_more = outlet_waiting(trunk->outlet) < WAITING_MAX_BYTES;
	int r = 0;

	while (r == 0 && has_more) {
		size_t limit = WAITING_MAX_BYTES - outlet_waiting(trunk->outlet);
		auto_buf struct buf out = {0};

		r = h2_drain(trunk->h2, &out, limit);
		if (r == 0 && out.len > 0)
			r = outlet_send(trunk->outlet, buf_slice(&out));
		has_more = out.len >= limit && outlet_waiting(trunk->outlet) == 0;
	}
	if (r < 0 || h2_is_over(trunk->h2))
		end(trunk);
}

static void on_prepare(uv_prepare_t *prepare)
{
	write_out(prepare->data);
}

/* What is not read waits here: the more streams there are, the less may each of them have on its way. */
static size_t window_share(const struct proxy *proxy)
{
	size_t share = WINDOWS_BYTES / (proxy->n_streams + 1);

	return share < WINDOW_MAX_BYTES ? share : WINDOW_MAX_BYTES;
}

static void on_readable(void *owner)
{
	struct trunk *trunk = owner;
	auto_buf struct buf in = {0};
	ssize_t count;

	h2_widen_to(trunk->h2, window_share(trunk->proxy));
	count = outlet_receive(trunk->outlet, &in, READ_BYTES);

	if (count == -EAGAIN)
		return;
	if (count <= 0 || h2_feed(trunk->h2, buf_slice(&in)) < 0)
		end(trunk);
}

static void on_writable(void *owner)
{
	write_out(owner);
}

/* What can still be read is an answer. */
static void on_broken(void *owner)
{
	(void)owner;
}

static int on_request(void *owner, struct h2_stream *stream, const char *method, const char *path)
{
	(void)owner, (void)stream, (void)method, (void)path;
	return -EPROTO;
}

static const struct outlet_ops outlet_ops = {
	.on_readable = on_readable, .on_writable = on_writable, .on_broken = on_broken};

int trunk_new(struct proxy *proxy, struct outlet *outlet, void (*on_over)(void *owner, struct trunk *trunk),
	      void *owner, struct trunk **ret)
{
	static const struct h2_ops stream_ops = HANDLER_H2_OPS(on_request);
	struct trunk *trunk = calloc(1, sizeof(*trunk));
	int r = trunk ? h2_new_client_limited(&stream_ops, trunk, &limits, &trunk->h2) : -ENOMEM;

	r = r < 0 ? r : uv_prepare_init(&proxy->loop, &trunk->prepare);
	if (r < 0) {
		if (trunk)
			h2_free(trunk->h2);
		outlet_free(outlet);
		free(trunk);
		return r;
	}
	trunk->proxy = proxy;
	trunk->outlet = outlet;
	trunk->on_over = on_over;
	trunk->owner = owner;
	trunk->prepare.data = trunk;
	outlet_set_owner(outlet, &outlet_ops, trunk);
	outlet_read(outlet, true);
	uv_prepare_start(&trunk->prepare, on_prepare);
	*ret = trunk;
	return 0;
}

bool trunk_is_open(const struct trunk *trunk)
{
	return !trunk->is_over && !h2_is_leaving(trunk->h2);
}

bool trunk_has_room(const struct trunk *trunk)
{
	return trunk_is_open(trunk) && !h2_is_full(trunk->h2);
}

struct h2 *trunk_h2(const struct trunk *trunk)
{
	return trunk->h2;
}
