#include "guest/outward.h"

#include "base/fd.h"
#include "guest/names.h"
#include "guest/port.h"
#include "guest/resolver.h"
#include "guest/tunnel.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>

enum {
	AT_ONCE = 64, /* connections, before others have their turn */
	SHORT_MS = 100,
	/* More than thousands of streams can hold back, so that no number of stalled ones stops the others.
	 */
	SESSION_WINDOW_BYTES = 1 << 30,
	ADDRESSES = 2,
};

struct listener {
	struct watch watch;
	struct outward *outward;
};

struct outward {
	struct loop *loop;
	struct names *names;
	struct tunnels *tunnels;
	struct resolver *resolver;
	struct port *port;
	struct listener listeners[ADDRESSES];
	struct timer timer; /* what programs may have again soon was used up */
	int (*find_target)(int fd, struct sockaddr_storage *ret);
};

/* ---- where it wanted to go ---- */

static int find_v4(const struct outward *outward, const struct sockaddr_in *address, char *into, size_t room,
		   struct name **ret_name)
{
	char text[INET_ADDRSTRLEN];
	struct name *name = names_at(outward->names, address->sin_addr);

	/* The name was forgotten: nobody knows what was meant. */
	if (!name && names_covers(address->sin_addr))
		return -EHOSTUNREACH;
	inet_ntop(AF_INET, &address->sin_addr, text, sizeof(text));
	snprintf(into, room, "%s:%u", name ? name_text(name) : text, ntohs(address->sin_port));
	*ret_name = name;
	return 0;
}

static int find_target(const struct outward *outward, int fd, char *into, size_t room, struct name **ret_name)
{
	struct sockaddr_storage address = {0};
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&address;
	char text[INET6_ADDRSTRLEN];
	int r = outward->find_target(fd, &address);

	if (r < 0)
		return r;
	if (address.ss_family == AF_INET)
		return find_v4(outward, (const struct sockaddr_in *)&address, into, room, ret_name);
	inet_ntop(AF_INET6, &v6->sin6_addr, text, sizeof(text));
	snprintf(into, room, "[%s]:%u", text, ntohs(v6->sin6_port));
	*ret_name = NULL;
	return 0;
}

/* ---- accepting ---- */

static void add_connection(struct outward *outward, int fd)
{
	const int on = 1;
	char target[H2_AUTHORITY_MAX_BYTES];
	struct name *name = NULL;

	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (find_target(outward, fd, target, sizeof(target), &name) < 0)
		tunnel_refuse(fd);
	else
		(void)tunnels_add(outward->tunnels, fd, target, name);
}

static void listen_on(struct outward *outward, bool is_wanted)
{
	for (size_t i = 0; i < ADDRESSES; i++)
		if (outward->listeners[i].watch.fd >= 0)
			(void)loop_watch(outward->loop, &outward->listeners[i].watch,
					 is_wanted ? EPOLLIN : 0);
}

static void on_connection(struct watch *watch, uint32_t events)
{
	struct outward *outward = holder_of(watch, struct listener, watch)->outward;

	(void)events;
	for (int i = 0; i < AT_ONCE && tunnels_has_room(outward->tunnels); i++) {
		int fd = accept4(watch->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0) {
			add_connection(outward, fd);
			continue;
		}
		/* Not enough of something: the connection stays where it is, and would be told of at once. */
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
			listen_on(outward, false);
			loop_set_timer(outward->loop, &outward->timer, SHORT_MS);
		}
		return;
	}
	if (!tunnels_has_room(outward->tunnels))
		listen_on(outward, false);
}

static void on_room(void *owner)
{
	listen_on(owner, true);
}

static void on_timer(struct timer *timer)
{
	on_room(holder_of(timer, struct outward, timer));
}

/* ---- the session ---- */

static int on_begin(void *owner, struct h2 **ret)
{
	static const struct h2_limits limits = {.session_window_bytes = SESSION_WINDOW_BYTES};
	struct outward *outward = owner;
	int r = h2_new_client_limited(&tunnels_h2_ops, outward, &limits, ret);

	if (r == 0)
		tunnels_set_session(outward->tunnels, *ret);
	return r;
}

static void on_end(void *owner)
{
	struct outward *outward = owner;

	tunnels_set_session(outward->tunnels, NULL);
}

static bool before_wait(void *owner)
{
	const struct outward *outward = owner;

	tunnels_flush(outward->tunnels);
	(void)port_flush(outward->port);
	return false;
}

/* ---- all of it ---- */

static int start(struct outward *outward, const struct outward_place *place, int *port, int *udp, int *tcp)
{
	static const struct port_ops ops = {.on_begin = on_begin, .on_end = on_end};
	int r = names_new(NAMES_MAX, &outward->names);

	r = r < 0 ? r : tunnels_new(outward->loop, outward->names, on_room, outward, &outward->tunnels);
	if (r == 0)
		r = resolver_new(outward->loop, outward->names, steal_fd(udp), steal_fd(tcp),
				 &outward->resolver);
	r = r < 0 ? r : port_new(outward->loop, steal_fd(port), &ops, outward, &outward->port);
	if (r < 0)
		return r;
	outward->find_target = place->find_target;
	loop_before_wait(outward->loop, before_wait, outward);
	listen_on(outward, true);
	return port_break_session(outward->port);
}

int outward_new(struct loop *loop, const struct outward_place *place, struct outward **ret)
{
	struct outward *outward = calloc(1, sizeof(*outward));
	autofd int port = place->port, udp = place->udp, tcp = place->tcp;
	int r = outward ? 0 : -ENOMEM;

	for (size_t i = 0; i < ADDRESSES; i++) {
		if (!outward && place->listener[i] >= 0)
			close(place->listener[i]);
		if (outward)
			outward->listeners[i] = (struct listener){
				{.on_event = on_connection, .fd = place->listener[i]}, outward};
	}
	if (r < 0)
		return r;
	outward->loop = loop;
	outward->timer.on_due = on_timer;
	r = start(outward, place, &port, &udp, &tcp);
	if (r < 0)
		outward_free(outward);
	else
		*ret = outward;
	return r;
}

void outward_free(struct outward *outward)
{
	if (!outward)
		return;
	loop_before_wait(outward->loop, NULL, NULL);
	loop_stop_timer(&outward->timer);
	for (size_t i = 0; i < ADDRESSES; i++)
		loop_close(outward->loop, &outward->listeners[i].watch);
	port_free(outward->port);
	tunnels_free(outward->tunnels);
	resolver_free(outward->resolver);
	names_free(outward->names);
	free(outward);
}
