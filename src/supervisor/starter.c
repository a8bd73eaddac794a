#include "supervisor/starter.h"

#include "base/fd.h"

#include <jansson.h>

static void tell(const struct starter *starter, json_t *event)
{
	char *text = event ? json_dumps(event, JSON_COMPACT) : NULL;
	auto_buf struct buf line = {0};

	if (text && starter->fd >= 0 && buf_printf(&line, "%s\n", text) == 0)
		(void)fd_send(starter->fd, buf_slice(&line), NULL, 0);
	free(text);
	json_decref(event);
}

static void forget(struct starter *starter)
{
	if (starter->fd < 0)
		return;
	if (starter->on_gone) {
		uv_poll_stop(&starter->watch);
		uv_close((uv_handle_t *)&starter->watch, NULL);
	}
	close(steal_fd(&starter->fd));
}

/* It says nothing; its end tells that it has changed its mind. */
static void on_event(uv_poll_t *watch, int status, int events)
{
	struct starter *starter = watch->data;

	(void)status, (void)events;
	forget(starter);
	starter->on_gone(starter->owner);
}

int starter_open(struct starter *starter, uv_loop_t *loop, int fd, void (*on_gone)(void *owner), void *owner)
{
	int r = uv_poll_init(loop, &starter->watch, fd);

	if (r < 0)
		return r;
	starter->fd = fd;
	starter->on_gone = on_gone;
	starter->owner = owner;
	starter->watch.data = starter;
	return uv_poll_start(&starter->watch, UV_READABLE | UV_DISCONNECT, on_event);
}

void starter_phase(struct starter *starter, const char *text)
{
	tell(starter, json_pack("{s:s, s:s}", "event", "phase", "text", text));
}

void starter_note(struct starter *starter, const char *text)
{
	tell(starter, json_pack("{s:s, s:s}", "event", "note", "text", text));
}

void starter_end(struct starter *starter, const char *error)
{
	if (error)
		tell(starter, json_pack("{s:s, s:s}", "event", "failed", "error", error));
	else
		tell(starter, json_pack("{s:s}", "event", "ready"));
	if (error || !starter->is_kept)
		forget(starter);
}
