#include "guest/resolver.h"

#include "guest/answer.h"

#include <errno.h>
#include <sys/socket.h>

enum {
	AT_ONCE = 64, /* datagrams, before others have their turn */
	CLIENTS_MAX = 64,
	CLIENT_IDLE_MS = 10000,
	QUERY_MAX_BYTES = 4096,
	LENGTH_BYTES = 2,
};

struct client {
	struct watch watch;
	struct timer timer;
	struct resolver *resolver;
	struct client *next, **link;
	struct buf in, out;
};

struct resolver {
	struct loop *loop;
	struct names *names;
	struct watch udp, tcp;
	struct client *clients;
	unsigned n_clients;
};

/* ---- datagrams ---- */

static bool answer_datagram(struct resolver *resolver)
{
	char query[QUERY_MAX_BYTES];
	struct sockaddr_storage from;
	socklen_t from_len = sizeof(from);
	auto_buf struct buf answer = {0};
	ssize_t count =
		recvfrom(resolver->udp.fd, query, sizeof(query), 0, (struct sockaddr *)&from, &from_len);

	if (count < 0)
		return false;
	if (answer_query(resolver->names, slice_of(query, (size_t)count), &answer) == 0)
		(void)sendto(resolver->udp.fd, buf_text(&answer), answer.len, MSG_DONTWAIT,
			     (struct sockaddr *)&from, from_len);
	return true;
}

static void on_datagram(struct watch *watch, uint32_t events)
{
	struct resolver *resolver = holder_of(watch, struct resolver, udp);

	(void)events;
	for (int i = 0; i < AT_ONCE && answer_datagram(resolver); i++)
		continue;
}

/* ---- connections: each query and each answer behind its length ---- */

static void watch_clients(struct resolver *resolver)
{
	(void)loop_watch(resolver->loop, &resolver->tcp, resolver->n_clients < CLIENTS_MAX ? EPOLLIN : 0);
}

static void client_free(struct client *client)
{
	struct resolver *resolver = client->resolver;

	*client->link = client->next;
	if (client->next)
		client->next->link = client->link;
	loop_stop_timer(&client->timer);
	loop_close(resolver->loop, &client->watch);
	buf_done(&client->in);
	buf_done(&client->out);
	free(client);
	resolver->n_clients--;
	watch_clients(resolver);
}

static int answer_one(struct client *client, struct slice query)
{
	auto_buf struct buf answer = {0};
	char length[LENGTH_BYTES];
	int r = answer_query(client->resolver->names, query, &answer);

	if (r < 0)
		return r;
	length[0] = (char)(answer.len >> 8);
	length[1] = (char)answer.len;
	r = buf_append(&client->out, slice_of(length, sizeof(length)));
	return r < 0 ? r : buf_append(&client->out, buf_slice(&answer));
}

static int answer_all(struct client *client)
{
	int r = 0;

	while (r == 0 && client->in.len >= LENGTH_BYTES) {
		const unsigned char *head = (const unsigned char *)buf_text(&client->in);
		size_t len = (size_t)head[0] << 8 | head[1];

		if (len > QUERY_MAX_BYTES)
			return -EMSGSIZE;
		if (client->in.len < LENGTH_BYTES + len)
			return 0;
		r = answer_one(client, slice_of(head + LENGTH_BYTES, len));
		buf_drop(&client->in, LENGTH_BYTES + len);
	}
	return r;
}

/* While it does not read its answers, no more of its queries are read. */
static int serve(struct client *client, uint32_t events)
{
	ssize_t count = 0;
	int r = 0;

	if (client->out.len == 0 && (events & (EPOLLIN | EPOLLERR | EPOLLHUP))) {
		count = buf_read_fd(&client->in, client->watch.fd, QUERY_MAX_BYTES + LENGTH_BYTES);
		if (count <= 0)
			return count == -EAGAIN ? 0 : -ECONNRESET;
		r = answer_all(client);
	}
	if (r == 0 && client->out.len > 0)
		count = buf_write_fd(&client->out, client->watch.fd);
	if (r < 0 || (count < 0 && count != -EAGAIN))
		return -ECONNRESET;
	return loop_watch(client->resolver->loop, &client->watch, client->out.len > 0 ? EPOLLOUT : EPOLLIN);
}

static void on_client(struct watch *watch, uint32_t events)
{
	struct client *client = holder_of(watch, struct client, watch);

	loop_set_timer(client->resolver->loop, &client->timer, CLIENT_IDLE_MS);
	if (serve(client, events) < 0)
		client_free(client);
}

static void on_idle(struct timer *timer)
{
	client_free(holder_of(timer, struct client, timer));
}

static void add_client(struct resolver *resolver, int fd)
{
	struct client *client = calloc(1, sizeof(*client));

	if (!client) {
		close(fd);
		return;
	}
	*client = (struct client){.watch = {.on_event = on_client, .fd = fd},
				  .timer = {.on_due = on_idle},
				  .resolver = resolver,
				  .next = resolver->clients,
				  .link = &resolver->clients};
	if (client->next)
		client->next->link = &client->next;
	resolver->clients = client;
	resolver->n_clients++;
	loop_set_timer(resolver->loop, &client->timer, CLIENT_IDLE_MS);
	if (loop_watch(resolver->loop, &client->watch, EPOLLIN) < 0)
		client_free(client);
	else
		watch_clients(resolver);
}

static void on_connection(struct watch *watch, uint32_t events)
{
	struct resolver *resolver = holder_of(watch, struct resolver, tcp);
	int fd = accept4(watch->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	(void)events;
	if (fd >= 0)
		add_client(resolver, fd);
}

int resolver_new(struct loop *loop, struct names *names, int udp, int tcp, struct resolver **ret)
{
	struct resolver *resolver = calloc(1, sizeof(*resolver));
	int r;

	if (!resolver) {
		close(udp);
		close(tcp);
		return -ENOMEM;
	}
	*resolver = (struct resolver){.loop = loop,
				      .names = names,
				      .udp = {.on_event = on_datagram, .fd = udp},
				      .tcp = {.on_event = on_connection, .fd = tcp}};
	r = loop_watch(loop, &resolver->udp, EPOLLIN);
	r = r < 0 ? r : loop_watch(loop, &resolver->tcp, EPOLLIN);
	if (r < 0)
		resolver_free(resolver);
	else
		*ret = resolver;
	return r;
}

void resolver_free(struct resolver *resolver)
{
	if (!resolver)
		return;
	while (resolver->clients)
		client_free(resolver->clients);
	loop_close(resolver->loop, &resolver->udp);
	loop_close(resolver->loop, &resolver->tcp);
	free(resolver);
}
