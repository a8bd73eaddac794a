#include "proxy/dial.h"

#include "proxy/http1.h"
#include "proxy/resolve.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>

enum {
	CONNECT_MS = 10000, /* for all of it */
	NEXT_MS = 250,      /* until the next address is tried beside */
	ADDRESSES_MAX = 8,
	ANSWER_MAX_BYTES = 8192, /* of the host's proxy */
};

struct attempt {
	uv_poll_t poll;
	struct dial *dial;
	struct in6_addr address;
	int fd;
};

struct dial {
	struct proxy *proxy;
	const struct host *host;
	uint16_t port;
	char *request; /* for the host's proxy, owned; NULL: directly */
	uint16_t by_port;
	dial_done done;
	void *owner;
	uv_timer_t timer;
	uint64_t deadline_ms;
	struct lookup *lookup;
	struct in6_addr addresses[ADDRESSES_MAX];
	size_t count, n_tried;
	struct attempt *attempts[ADDRESSES_MAX];
	struct attempt *asking; /* the connection to the host's proxy, once there is one */
	const char *why;
	bool is_redirected;      /* to where its person sends that name */
	struct in6_addr refused; /* one of those that the policy does not let it go to */
	bool is_denied, is_starting, is_over;
};

/* ---- the end ---- */

static void free_attempt(uv_handle_t *handle)
{
	free(handle->data);
}

/* Gives the descriptor. */
static int drop_attempt(struct attempt *attempt)
{
	int fd = attempt->fd;

	for (size_t i = 0; i < array_len(attempt->dial->attempts); i++)
		if (attempt->dial->attempts[i] == attempt)
			attempt->dial->attempts[i] = NULL;
	uv_poll_stop(&attempt->poll);
	uv_close((uv_handle_t *)&attempt->poll, free_attempt);
	return fd;
}

static void free_dial(uv_handle_t *handle)
{
	struct dial *dial = handle->data;

	free(dial->request);
	free(dial);
}

void dial_cancel(struct dial *dial)
{
	if (!dial || dial->is_over)
		return;
	dial->is_over = true;
	lookup_cancel(dial->lookup);
	for (size_t i = 0; i < array_len(dial->attempts); i++)
		if (dial->attempts[i])
			close(drop_attempt(dial->attempts[i]));
	uv_close((uv_handle_t *)&dial->timer, free_dial);
}

static void finish(struct dial *dial, const struct dial_result *result)
{
	dial_done done = dial->done;
	void *owner = dial->owner;

	dial_cancel(dial);
	done(owner, result);
}

static void on_failed(uv_timer_t *timer);

static void fail_later(struct dial *dial)
{
	uv_timer_start(&dial->timer, on_failed, 0, 0);
}

static void fail(struct dial *dial)
{
	const struct dial_result result = {
		.fd = -1, .address = dial->refused, .why = dial->why, .is_denied = dial->is_denied};

	if (dial->is_starting)
		fail_later(dial);
	else
		finish(dial, &result);
}

static void on_failed(uv_timer_t *timer)
{
	fail(timer->data);
}

static void succeed(struct attempt *attempt)
{
	struct dial *dial = attempt->dial;
	struct dial_result result = {.address = attempt->address,
				     .is_by_proxy = dial->request || dial->is_redirected};

	result.fd = drop_attempt(attempt);
	finish(dial, &result);
}

/* ---- the host's proxy ---- */

/* Its answer is looked at before it is taken: what follows the head belongs to the connection. */
static void on_answer(uv_poll_t *poll, int status, int events)
{
	struct attempt *attempt = poll->data;
	struct http1_head head;
	char bytes[ANSWER_MAX_BYTES];
	ssize_t count = status < 0 ? -1 : recv(attempt->fd, bytes, sizeof(bytes), MSG_PEEK);
	size_t used = 0;
	enum parsed parsed;

	if (status == 0 && count < 0 && errno == EAGAIN)
		return;
	attempt->dial->why = "the host's HTTP proxy did not make the connection";
	parsed = count > 0 ? http1_parse_response(slice_of(bytes, (size_t)count), &head, &used) : PARSED_BAD;
	if (parsed == PARSED_MORE && (size_t)count < sizeof(bytes) && !(events & UV_DISCONNECT)) {
		/* Taken off, it would not be looked at again; left, the loop would spin: wait for what is
		 * new. */
		int low = (int)count + 1;

		if (setsockopt(attempt->fd, SOL_SOCKET, SO_RCVLOWAT, &low, sizeof(low)) == 0)
			return;
	}
	if (parsed != PARSED_OK || head.status / 100 != 2 ||
	    recv(attempt->fd, bytes, used, 0) != (ssize_t)used ||
	    setsockopt(attempt->fd, SOL_SOCKET, SO_RCVLOWAT, &(int){1}, sizeof(int)) < 0)
		fail(attempt->dial);
	else
		succeed(attempt);
}

static void ask_proxy(struct attempt *attempt)
{
	const char *request = attempt->dial->request;
	size_t len = strlen(request);

	/* The first bytes of a connection fit into it. */
	if (send(attempt->fd, request, len, MSG_NOSIGNAL) != (ssize_t)len) {
		attempt->dial->why = "the host's HTTP proxy did not take the request";
		fail(attempt->dial);
		return;
	}
	attempt->dial->asking = attempt;
	uv_poll_start(&attempt->poll, UV_READABLE | UV_DISCONNECT, on_answer);
}

/* ---- addresses ---- */

static void try_next(struct dial *dial);

static bool has_attempts(const struct dial *dial)
{
	for (size_t i = 0; i < array_len(dial->attempts); i++)
		if (dial->attempts[i])
			return true;
	return false;
}

static const char *say_error(int error)
{
	switch (error) {
	case ECONNREFUSED:
		return "the connection was refused";
	case ENETUNREACH:
	case EHOSTUNREACH:
	case EADDRNOTAVAIL:
		return "there is no way to that address";
	case EMFILE:
	case ENFILE:
	case ENOBUFS:
	case ENOMEM:
		return "there are too many connections";
	default:
		return "the connection failed";
	}
}

static void on_connected(uv_poll_t *poll, int status, int events)
{
	struct attempt *attempt = poll->data;
	struct dial *dial = attempt->dial;
	socklen_t len = sizeof(int);
	int error = 0;

	(void)events;
	/* A socket with an error gives status -EBADF whatever the error is. */
	if (getsockopt(attempt->fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0 || (status < 0 && error == 0))
		error = ECONNABORTED;
	if (error != 0) {
		dial->why = say_error(error);
		close(drop_attempt(attempt));
		try_next(dial);
		return;
	}
	if (!dial->request) {
		succeed(attempt);
		return;
	}
	uv_poll_stop(poll);
	if (!dial->asking)
		ask_proxy(attempt);
}

static socklen_t socket_address(const struct in6_addr *address, uint16_t port, struct sockaddr_storage *ret)
{
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)ret;
	struct sockaddr_in *v4 = (struct sockaddr_in *)ret;

	memset(ret, 0, sizeof(*ret));
	if (IN6_IS_ADDR_V4MAPPED(address)) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(port);
		memcpy(&v4->sin_addr, address->s6_addr + 12, 4);
		return sizeof(*v4);
	}
	v6->sin6_family = AF_INET6;
	v6->sin6_port = htons(port);
	v6->sin6_addr = *address;
	return sizeof(*v6);
}

static int open_socket(const struct in6_addr *address, uint16_t port)
{
	struct sockaddr_storage to;
	socklen_t len = socket_address(address, port, &to);
	int fd = socket(to.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int r;

	if (fd < 0)
		return -errno;
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
	if (connect(fd, (const struct sockaddr *)&to, len) == 0 || errno == EINPROGRESS)
		return fd;
	r = -errno;
	close(fd);
	return r;
}

static int start_attempt(struct dial *dial, size_t i)
{
	struct attempt *attempt = calloc(1, sizeof(*attempt));
	int r = attempt ? open_socket(&dial->addresses[i], dial->by_port) : -ENOMEM;

	if (r < 0) {
		free(attempt);
		return r;
	}
	*attempt = (struct attempt){.dial = dial, .address = dial->addresses[i], .fd = r};
	r = uv_poll_init(&dial->proxy->loop, &attempt->poll, attempt->fd);
	if (r < 0) {
		close(attempt->fd);
		free(attempt);
		return r;
	}
	attempt->poll.data = attempt;
	dial->attempts[i] = attempt;
	return uv_poll_start(&attempt->poll, UV_WRITABLE, on_connected);
}

static void on_timer(uv_timer_t *timer)
{
	struct dial *dial = timer->data;

	if (uv_now(timer->loop) >= dial->deadline_ms) {
		dial->why = "nobody answered in time";
		fail(dial);
	} else {
		try_next(dial);
	}
}

/* Whichever comes first: the time for the next address, or the end. */
static void set_timer(struct dial *dial, uint64_t wait_ms)
{
	uint64_t now = uv_now(&dial->proxy->loop);
	uint64_t left = dial->deadline_ms > now ? dial->deadline_ms - now : 0;

	uv_timer_start(&dial->timer, on_timer, wait_ms < left ? wait_ms : left, 0);
}

static void try_next(struct dial *dial)
{
	while (!dial->asking && dial->n_tried < dial->count) {
		int r = start_attempt(dial, dial->n_tried++);

		if (r >= 0) {
			set_timer(dial, dial->n_tried < dial->count ? NEXT_MS : CONNECT_MS);
			return;
		}
		dial->why = say_error(-r);
	}
	if (!has_attempts(dial))
		fail(dial);
	else
		set_timer(dial, CONNECT_MS);
}

/* ---- which addresses ---- */

static bool may_go_to(const struct dial *dial, const struct in6_addr *address)
{
	return dial->request || dial->is_redirected ||
	       policy_address_ok(&dial->proxy->policy, dial->host, dial->port, address);
}

/* The families by turns, IPv6 first; only what was judged is kept. */
static void take_addresses(struct dial *dial, const struct in6_addr *addresses, size_t count)
{
	struct in6_addr kept[2][ADDRESSES_MAX];
	size_t n_kept[2] = {0};

	for (size_t i = 0; i < count; i++) {
		bool is_v4 = IN6_IS_ADDR_V4MAPPED(&addresses[i]);

		if (!may_go_to(dial, &addresses[i]))
			dial->refused = addresses[i];
		else if (n_kept[is_v4] < ADDRESSES_MAX)
			kept[is_v4][n_kept[is_v4]++] = addresses[i];
	}
	for (size_t i = 0; i < ADDRESSES_MAX; i++)
		for (size_t family = 0; family < 2; family++)
			if (i < n_kept[family] && dial->count < ADDRESSES_MAX)
				dial->addresses[dial->count++] = kept[family][i];
}

static void go(struct dial *dial, const struct in6_addr *addresses, size_t count)
{
	take_addresses(dial, addresses, count);
	if (dial->count == 0) {
		dial->is_denied = true;
		dial->why = "it leads to an address that no rule allows";
	}
	try_next(dial);
}

static void on_lookup(void *owner, const struct in6_addr *addresses, size_t count, const char *why)
{
	struct dial *dial = owner;

	(void)why; /* c-ares' own words */
	dial->lookup = NULL;
	if (count > 0) {
		go(dial, addresses, count);
		return;
	}
	dial->why = "the name could not be resolved";
	fail(dial);
}

static int find_addresses(struct dial *dial, const struct host *host)
{
	static const struct in6_addr local[] = {
		{.s6_addr = {[15] = 1}}, {.s6_addr = {[10] = 0xff, [11] = 0xff, [12] = 127, [15] = 1}}};

	struct in6_addr known[RESOLVE_ADDRESSES_MAX];
	size_t n_known = host->is_address ? 0 : resolver_known(dial->proxy->resolver, host->text, known);

	if (host->is_address)
		go(dial, &host->address, 1);
	else if (host_is_local(host))
		go(dial, local, array_len(local));
	else if (n_known > 0)
		go(dial, known, n_known);
	else
		return lookup_start(dial->proxy->resolver, host->text, on_lookup, dial, &dial->lookup);
	return 0;
}

/* Names are looked up by the host's proxy then; an address is judged here as ever. */
static int use_upstream(struct dial *dial, const struct upstream_proxy *by)
{
	auto_buf struct buf request = {0};
	int r;

	if (dial->host->is_address && !may_go_to(dial, &dial->host->address)) {
		dial->is_denied = true;
		dial->refused = dial->host->address;
		dial->why = "it is an address that no rule allows";
		return -EACCES;
	}
	r = upstream_request(&request, by, dial->host, dial->port);
	if (r < 0)
		return r;
	dial->request = strdup(buf_text(&request));
	dial->by_port = by->port;
	return dial->request ? 0 : -ENOMEM;
}

/* Nothing is looked up, and no proxy of the host's is asked: the address is meant. */
static void use_redirect(struct dial *dial, const struct redirect *redirect)
{
	dial->is_redirected = true;
	dial->by_port = redirect->to_port;
	go(dial, &redirect->to, 1);
}

int dial_start(struct proxy *proxy, const struct host *host, uint16_t port, bool is_plain_http,
	       dial_done done, void *owner, struct dial **ret)
{
	const struct redirect *redirect = redirects_find(&proxy->redirects, host, port);
	const struct upstream_proxy *by =
		redirect ? NULL : upstream_for(&proxy->upstream, host, port, is_plain_http);
	struct dial *dial = calloc(1, sizeof(*dial));
	int r = dial ? uv_timer_init(&proxy->loop, &dial->timer) : -ENOMEM;

	if (r < 0) {
		free(dial);
		return r;
	}
	dial->timer.data = dial;
	dial->proxy = proxy;
	dial->host = host;
	dial->port = dial->by_port = port;
	dial->done = done;
	dial->owner = owner;
	dial->deadline_ms = uv_now(&proxy->loop) + CONNECT_MS;
	dial->why = "there is no memory for a connection";
	dial->is_starting = true;
	*ret = dial;
	set_timer(dial, CONNECT_MS);
	r = by ? use_upstream(dial, by) : 0;
	if (redirect)
		use_redirect(dial, redirect);
	else
		r = r < 0 ? r : find_addresses(dial, by ? &by->host : host);
	dial->is_starting = false;
	if (r == -EBUSY)
		dial->why = "there are too many look-ups";
	if (r < 0)
		fail_later(dial);
	return 0;
}
