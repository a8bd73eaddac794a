#include "proxy/inside.h"

#include "proxy/leaf.h"

#include <stdlib.h>

enum { HANDSHAKE_MS = 15000 };

struct inside {
	struct leaf_wait wait;
	struct tunnel *tunnel;
	unsigned protocols;
	bool prefers_http1;
	void (*done)(struct tunnel *tunnel);
};

static void ignore(struct tunnel *tunnel)
{
	(void)tunnel;
}

static void let_go(struct tunnel *tunnel)
{
	struct inside *inside = tunnel->data;

	if (inside)
		leaf_cancel(&inside->wait);
	free(inside);
	tunnel->data = NULL;
}

static const struct tunnel_stage opened = {
	.on_guest = ignore, .on_room = ignore, .on_time = tunnel_close, .on_revoked = tunnel_close};

/* What was to be told of each request is told of the connection that came to none. */
static void fail(struct tunnel *tunnel, const char *reason)
{
	tunnel->is_recording = true;
	if (!tunnel->record.reason)
		tunnel->record.reason = reason;
}

static void give_up(struct tunnel *tunnel)
{
	fail(tunnel, "the TLS handshake did not come to its end");
	tunnel_close(tunnel);
}

static void on_guest(struct tunnel *tunnel)
{
	struct inside *inside = tunnel->data;
	void (*done)(struct tunnel * tunnel) = inside->done;

	if (tunnel->guest_ended && (!tunnel->tls || !tls_is_open(tunnel->tls))) {
		give_up(tunnel);
		return;
	}
	if (!tunnel->tls || !tls_is_open(tunnel->tls))
		return;
	let_go(tunnel);
	tunnel_set_stage(tunnel, &opened, NULL);
	done(tunnel);
}

static const struct tunnel_stage stage = {.on_guest = on_guest,
					  .on_room = ignore,
					  .on_time = give_up,
					  .on_revoked = tunnel_close,
					  .done = let_go};

static void on_leaf(struct leaf_wait *wait, const struct leaf *leaf)
{
	struct inside *inside = (struct inside *)wait;
	struct tunnel *tunnel = inside->tunnel;
	struct tls *tls;

	if (!leaf || tls_accept(tunnel->proxy->tls, leaf->certificate, leaf->key, inside->protocols,
				inside->prefers_http1, &tls) < 0) {
		fail(tunnel, "there is no certificate to show to the client");
		tunnel_close(tunnel);
	} else if (tunnel_open_tls(tunnel, tls) < 0) {
		fail(tunnel, tls_why(tls));
		tunnel_leave(tunnel, slice_of("", 0));
	} else {
		on_guest(tunnel);
	}
}

void inside_open(struct tunnel *tunnel, const struct host *host, unsigned protocols, bool prefers_http1,
		 void (*done)(struct tunnel *tunnel))
{
	struct inside *inside = calloc(1, sizeof(*inside));

	if (!inside) {
		tunnel_close(tunnel);
		return;
	}
	*inside = (struct inside){.tunnel = tunnel,
				  .protocols = protocols,
				  .prefers_http1 = prefers_http1,
				  .done = done,
				  .wait = {.done = on_leaf}};
	tunnel_set_stage(tunnel, &stage, inside);
	tunnel_limit(tunnel, HANDSHAKE_MS);
	leaf_get(tunnel->proxy->leaves, host, &inside->wait);
}
