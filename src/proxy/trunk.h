/* A connection to a server that speaks HTTP/2, shared by the requests of one client. */
#pragma once

#include "proxy/outlet.h"
#include "proxy/proxy.h"
#include "wire/handler.h"

struct trunk;

/*
 * Takes outlet, whose handshake is done. on_over is called once when there is nothing more to be expected of
 * it, after its streams were closed; then it is freed.
 */
int trunk_new(struct proxy *proxy, struct outlet *outlet, void (*on_over)(void *owner, struct trunk *trunk),
	      void *owner, struct trunk **ret);

/* Closes its streams; on_over is not called. */
void trunk_free(struct trunk *trunk);

/* Whether it takes another request, and whether at once. */
bool trunk_is_open(const struct trunk *trunk);
bool trunk_has_room(const struct trunk *trunk);

/* The streams' data are struct handler (wire/handler.h). */
struct h2 *trunk_h2(const struct trunk *trunk);
