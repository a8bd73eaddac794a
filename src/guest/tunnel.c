/*
 * How it works
 *   program -> host   is read while the stream's queue has room, so a host that takes nothing stalls the
 * program. What is read before the host has answered goes out at once.
 *   host -> program   is gathered, because the port brings little at a time, and written before the loop
 * waits. What the program does not take is kept, and only what it has taken is given back to the stream's
 * window.
 *   The end of either direction is passed on as such. When the stream is over, what is kept is still
 * delivered. Everything else, the end of the session included, is a reset for the program.
 *   While nothing else is waited for, EPOLLPRI is: that is how a program's own reset is heard of. EPOLLHUP
 * comes for as long as both directions are closed, and is not asked for again.
 */
#include "guest/tunnel.h"

#include "base/clock.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>

enum {
	TUNNELS_MAX = 10000,
	WAITING_MAX = 1024,
	WAIT_LIMIT_MS = 10000,
	/* Of one stream, towards the host: much for a few, less when there are many. */
	FEW = 256,
	QUEUED_OF_FEW_MAX_BYTES = 64 << 10,
	QUEUED_MAX_BYTES = 16 << 10,
	GATHERED_MAX_BYTES = 128 << 10,
};

struct tunnel {
	struct watch watch;
	struct tunnels *set;
	struct tunnel *next, **link;
	struct tunnel *next_fresh, **fresh_link; /* fresh_link is NULL while nothing has been gathered */
	struct h2_stream *stream;                /* NULL while it waits, and when the stream is over */
	struct name *name;                       /* held; may be NULL */
	struct buf out;                          /* to the program */
	int64_t since_ms;
	bool has_eof;  /* the program will send no more */
	bool is_ended; /* the host will send no more */
	bool is_shut, is_hung;
	bool is_over; /* the stream was closed as it should be */
	char target[H2_AUTHORITY_MAX_BYTES];
};

struct tunnels {
	struct loop *loop;
	struct names *names;
	struct h2 *h2;
	struct tunnel *first, **end; /* oldest first */
	struct tunnel *fresh;        /* those for which something has been gathered */
	struct timer timer;          /* due when the first of those that wait has waited long enough */
	unsigned count, n_waiting;
	void (*on_room)(void *owner);
	void *owner;
};

void tunnel_refuse(int fd)
{
	const struct linger at_once = {.l_onoff = 1, .l_linger = 0};

	(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	close(fd);
}

/* ---- their end ---- */

static bool is_waiting(const struct tunnel *tunnel)
{
	return !tunnel->stream && !tunnel->is_over;
}

static void unlink_tunnel(struct tunnel *tunnel)
{
	struct tunnels *set = tunnel->set;

	*tunnel->link = tunnel->next;
	if (tunnel->next)
		tunnel->next->link = tunnel->link;
	else
		set->end = tunnel->link;
	set->count--;
}

static void detach(struct tunnel *tunnel)
{
	struct h2_stream *stream = tunnel->stream;

	if (is_waiting(tunnel))
		tunnel->set->n_waiting--;
	tunnel->stream = NULL;
	tunnel->is_over = true;
	if (!stream)
		return;
	h2_set_data(stream, NULL);
	h2_reset(stream);
}

static void ungather(struct tunnel *tunnel)
{
	if (!tunnel->fresh_link)
		return;
	*tunnel->fresh_link = tunnel->next_fresh;
	if (tunnel->next_fresh)
		tunnel->next_fresh->fresh_link = tunnel->fresh_link;
	tunnel->fresh_link = NULL;
}

static void tunnel_free(struct tunnel *tunnel)
{
	struct tunnels *set = tunnel->set;
	bool was_full = !tunnels_has_room(set);

	detach(tunnel);
	ungather(tunnel);
	unlink_tunnel(tunnel);
	loop_close(set->loop, &tunnel->watch);
	if (tunnel->name)
		name_release(set->names, tunnel->name);
	buf_done(&tunnel->out);
	free(tunnel);
	if (was_full)
		set->on_room(set->owner);
}

static void reset(struct tunnel *tunnel)
{
	(void)loop_watch(tunnel->set->loop, &tunnel->watch, 0);
	tunnel_refuse(steal_fd(&tunnel->watch.fd));
	tunnel_free(tunnel);
}

/* ---- what is waited for ---- */

static size_t queue_room(const struct tunnel *tunnel)
{
	size_t max = tunnel->set->count <= FEW ? QUEUED_OF_FEW_MAX_BYTES : QUEUED_MAX_BYTES;
	size_t queued = tunnel->stream ? h2_queued(tunnel->stream) : max;

	return tunnel->has_eof || queued >= max ? 0 : max - queued;
}

/* Passes on the host's end, frees what is done, and waits for the rest. The tunnel may be gone afterwards. */
static void settle(struct tunnel *tunnel)
{
	uint32_t events = tunnel->is_hung ? 0 : EPOLLPRI;

	/* What has been gathered is written first. */
	if (tunnel->fresh_link)
		return;
	if (tunnel->is_ended && tunnel->out.len == 0 && !tunnel->is_shut) {
		tunnel->is_shut = true;
		(void)shutdown(tunnel->watch.fd, SHUT_WR);
	}
	if (tunnel->is_over && tunnel->out.len == 0) {
		tunnel_free(tunnel);
		return;
	}
	if (tunnel->out.len > 0)
		events |= EPOLLOUT;
	if (queue_room(tunnel) > 0)
		events |= EPOLLIN;
	if (loop_watch(tunnel->set->loop, &tunnel->watch, events) < 0)
		reset(tunnel);
}

/* ---- from the program ---- */

static int take_from_program(struct tunnel *tunnel)
{
	static char bytes[QUEUED_OF_FEW_MAX_BYTES];
	size_t room = queue_room(tunnel);
	ssize_t count = room > 0 ? recv(tunnel->watch.fd, bytes, room, MSG_DONTWAIT) : -1;

	if (room == 0)
		return 0;
	if (count < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	if (count > 0)
		return h2_send(tunnel->stream, slice_of(bytes, (size_t)count));
	tunnel->has_eof = true;
	h2_end(tunnel->stream);
	return 0;
}

/* ---- to the program ---- */

static void give_back(struct tunnel *tunnel, size_t count)
{
	if (tunnel->stream)
		h2_consume(tunnel->stream, count);
}

static int give_kept(struct tunnel *tunnel)
{
	ssize_t count = tunnel->out.len > 0 ? buf_write_fd(&tunnel->out, tunnel->watch.fd) : 0;

	if (count < 0)
		return count == -EAGAIN ? 0 : (int)count;
	give_back(tunnel, (size_t)count);
	if (tunnel->out.len == 0)
		buf_done(&tunnel->out);
	return 0;
}

static void gather(struct tunnel *tunnel)
{
	struct tunnels *set = tunnel->set;

	if (tunnel->fresh_link)
		return;
	tunnel->next_fresh = set->fresh;
	tunnel->fresh_link = &set->fresh;
	if (tunnel->next_fresh)
		tunnel->next_fresh->fresh_link = &tunnel->next_fresh;
	set->fresh = tunnel;
}

static int give_to_program(struct tunnel *tunnel, struct slice data)
{
	int r = buf_append(&tunnel->out, data);

	/* One that waits for its program to take something goes on waiting. */
	if (r == 0 && !(tunnel->watch.events & EPOLLOUT))
		gather(tunnel);
	return r < 0 || tunnel->out.len < GATHERED_MAX_BYTES ? r : give_kept(tunnel);
}

void tunnels_flush(struct tunnels *set)
{
	while (set->fresh) {
		struct tunnel *tunnel = set->fresh;

		ungather(tunnel);
		if (give_kept(tunnel) < 0)
			reset(tunnel);
		else
			settle(tunnel);
	}
}

static void on_event(struct watch *watch, uint32_t events)
{
	struct tunnel *tunnel = holder_of(watch, struct tunnel, watch);
	int r = events & EPOLLERR ? -ECONNRESET : 0;

	if (r == 0 && (events & EPOLLOUT))
		r = give_kept(tunnel);
	if (r == 0 && (events & EPOLLIN))
		r = take_from_program(tunnel);
	if (events & EPOLLHUP)
		tunnel->is_hung = true;
	if (r < 0)
		reset(tunnel);
	else
		settle(tunnel);
}

/* ---- streams; those without data have lost their tunnel ---- */

static int on_request(void *owner, struct h2_stream *stream, const char *method, const char *path)
{
	(void)owner, (void)stream, (void)method, (void)path;
	return -EPROTO; /* a client is asked nothing */
}

static void on_response(struct h2_stream *stream, int status)
{
	struct tunnel *tunnel = h2_data(stream);

	if (tunnel && status != 200)
		reset(tunnel);
}

static void on_data(struct h2_stream *stream, struct slice data)
{
	struct tunnel *tunnel = h2_data(stream);

	if (!tunnel)
		h2_consume(stream, data.len);
	else if (give_to_program(tunnel, data) < 0)
		reset(tunnel);
}

static void on_end(struct h2_stream *stream)
{
	struct tunnel *tunnel = h2_data(stream);

	if (!tunnel)
		return;
	tunnel->is_ended = true;
	settle(tunnel);
}

static void on_drain(struct h2_stream *stream)
{
	struct tunnel *tunnel = h2_data(stream);

	if (tunnel)
		settle(tunnel);
}

/* Where the host has ended and then closes without an error, it wants no more of the program either. */
static void on_close(struct h2_stream *stream, uint32_t error)
{
	struct tunnel *tunnel = h2_data(stream);

	if (!tunnel)
		return;
	tunnel->stream = NULL;
	tunnel->is_over = true;
	if (error == 0 && tunnel->is_ended)
		settle(tunnel);
	else
		reset(tunnel);
}

const struct h2_ops tunnels_h2_ops = {.on_request = on_request,
				      .on_response = on_response,
				      .on_data = on_data,
				      .on_end = on_end,
				      .on_drain = on_drain,
				      .on_close = on_close};

/* ---- waiting for a session ---- */

static void start(struct tunnel *tunnel)
{
	int r = h2_connect(tunnel->set->h2, tunnel->target, tunnel, &tunnel->stream);

	if (r < 0) {
		reset(tunnel);
		return;
	}
	tunnel->set->n_waiting--;
	settle(tunnel);
}

static void on_wait_over(struct timer *timer)
{
	struct tunnels *set = holder_of(timer, struct tunnels, timer);
	int64_t oldest_ms = clock_ms() - WAIT_LIMIT_MS;

	for (struct tunnel *tunnel = set->first, *next; tunnel; tunnel = next) {
		next = tunnel->next;
		if (!is_waiting(tunnel))
			continue;
		if (tunnel->since_ms > oldest_ms) {
			loop_set_timer(set->loop, timer, tunnel->since_ms - oldest_ms);
			return;
		}
		reset(tunnel);
	}
}

static void wait_for_session(struct tunnel *tunnel)
{
	struct tunnels *set = tunnel->set;

	if (set->n_waiting > WAITING_MAX) {
		reset(tunnel);
		return;
	}
	if (set->n_waiting == 1)
		loop_set_timer(set->loop, &set->timer, WAIT_LIMIT_MS);
	settle(tunnel);
}

void tunnels_set_session(struct tunnels *set, struct h2 *h2)
{
	set->h2 = h2;
	if (!h2)
		return;
	loop_stop_timer(&set->timer);
	for (struct tunnel *tunnel = set->first, *next; tunnel; tunnel = next) {
		next = tunnel->next;
		if (is_waiting(tunnel))
			start(tunnel);
	}
}

/* ---- all of them ---- */

bool tunnels_has_room(const struct tunnels *set)
{
	return set->count < TUNNELS_MAX;
}

int tunnels_add(struct tunnels *set, int fd, const char *target, struct name *name)
{
	struct tunnel *tunnel = calloc(1, sizeof(*tunnel));

	if (!tunnel) {
		tunnel_refuse(fd);
		return -ENOMEM;
	}
	*tunnel = (struct tunnel){.watch = {.on_event = on_event, .fd = fd},
				  .set = set,
				  .link = set->end,
				  .name = name,
				  .since_ms = clock_ms()};
	snprintf(tunnel->target, sizeof(tunnel->target), "%s", target);
	*set->end = tunnel;
	set->end = &tunnel->next;
	set->count++;
	set->n_waiting++;
	if (name)
		name_hold(set->names, name);
	if (set->h2)
		start(tunnel);
	else
		wait_for_session(tunnel);
	return 0;
}

int tunnels_new(struct loop *loop, struct names *names, void (*on_room)(void *owner), void *owner,
		struct tunnels **ret)
{
	struct tunnels *set = calloc(1, sizeof(*set));

	if (!set)
		return -ENOMEM;
	*set = (struct tunnels){.loop = loop,
				.names = names,
				.end = &set->first,
				.timer = {.on_due = on_wait_over},
				.on_room = on_room,
				.owner = owner};
	*ret = set;
	return 0;
}

void tunnels_free(struct tunnels *set)
{
	if (!set)
		return;
	while (set->first)
		reset(set->first);
	loop_stop_timer(&set->timer);
	free(set);
}
