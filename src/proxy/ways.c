#include "proxy/ways.h"

#include <errno.h>
#include <stdlib.h>

enum {
	IDLE_MAX = 8,
	TRUNKS_MAX = 16,
	KEPT_MAX = 32,
	KEPT_MS = 45000, /* servers close what is idle, most not before a minute */
};

struct idle {
	struct ways *ways;
	struct outlet *outlet; /* NULL: not in use */
	struct in6_addr address;
	bool is_by_proxy;
};

struct line {
	struct trunk *trunk; /* NULL: not in use */
	struct in6_addr address;
	bool is_by_proxy;
};

struct ways {
	struct proxy *proxy;
	struct ways *next, **link;
	uv_timer_t timer; /* while nobody uses them */
	uint64_t left_ms; /* when the last one left, by the clock of now_ms() */
	unsigned n_users;
	bool is_old;
	struct host host;
	uint16_t port;
	struct idle idle[IDLE_MAX];
	struct line lines[TRUNKS_MAX];
	struct way_wait *reaching; /* finds out what the server speaks; NULL: nobody does */
	struct way_wait *waiting;  /* for what that one finds out */
	bool is_http1;             /* what the server spoke last */
};

/* ---- who uses them ---- */

static void free_ways(uv_handle_t *handle)
{
	free(handle->data);
}

static struct ways *find(const struct proxy *proxy, const struct host *host, uint16_t port)
{
	struct ways *ways = proxy->ways;

	while (ways && (ways->is_old || ways->port != port || strcmp(ways->host.text, host->text) != 0))
		ways = ways->next;
	return ways;
}

static int new_ways(struct proxy *proxy, const struct host *host, uint16_t port, struct ways **ret)
{
	struct ways *ways = calloc(1, sizeof(*ways));
	int r = ways ? uv_timer_init(&proxy->loop, &ways->timer) : -ENOMEM;

	if (r < 0) {
		free(ways);
		return r;
	}
	ways->proxy = proxy;
	ways->timer.data = ways;
	ways->host = *host;
	ways->port = port;
	ways->next = proxy->ways;
	ways->link = &proxy->ways;
	if (ways->next)
		ways->next->link = &ways->next;
	proxy->ways = ways;
	*ret = ways;
	return 0;
}

/* Time in which the machine sleeps counts too: what was kept over it is hardly still there. */
static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void stop_keeping(struct ways *ways)
{
	uv_timer_stop(&ways->timer);
	ways->proxy->n_kept_ways--;
}

static void on_time(uv_timer_t *timer)
{
	struct ways *ways = timer->data;

	stop_keeping(ways);
	*ways->link = ways->next;
	if (ways->next)
		ways->next->link = ways->link;
	for (size_t i = 0; i < IDLE_MAX; i++)
		outlet_free(ways->idle[i].outlet);
	for (size_t i = 0; i < TRUNKS_MAX; i++)
		trunk_free(ways->lines[i].trunk);
	uv_close((uv_handle_t *)timer, free_ways);
}

/* From here on nobody is given them. */
static void let_age(struct ways *ways)
{
	ways->is_old = true;
	if (ways->n_users == 0)
		uv_timer_start(&ways->timer, on_time, 0, 0);
}

int ways_use(struct proxy *proxy, const struct host *host, uint16_t port, struct ways **ret)
{
	struct ways *ways = find(proxy, host, port);
	int r = 0;

	if (ways && ways->n_users == 0 && now_ms() - ways->left_ms > KEPT_MS) {
		let_age(ways);
		ways = NULL;
	}
	if (!ways)
		r = new_ways(proxy, host, port, &ways);
	else if (ways->n_users == 0)
		stop_keeping(ways);
	if (r < 0)
		return r;
	ways->n_users++;
	*ret = ways;
	return 0;
}

/* Not at once, even where they are not kept: one of their connections may be what has come to its end. */
void ways_leave(struct ways *ways)
{
	bool is_kept;

	if (!ways || --ways->n_users > 0)
		return;
	is_kept = !ways->is_old && ways->proxy->n_kept_ways < KEPT_MAX;
	ways->proxy->n_kept_ways++;
	ways->left_ms = now_ms();
	uv_timer_start(&ways->timer, on_time, is_kept ? KEPT_MS : 0, 0);
}

bool ways_follow(struct ways **ways)
{
	struct ways *old = *ways;

	if (!old->is_old || ways_use(old->proxy, &old->host, old->port, ways) < 0)
		return false;
	ways_leave(old);
	return true;
}

void ways_renew(struct proxy *proxy)
{
	for (struct ways *ways = proxy->ways; ways; ways = ways->next)
		let_age(ways);
}

/* The policy may be another one than the one by which the address was picked. */
static bool is_good(const struct ways *ways, const struct in6_addr *address, bool is_by_proxy)
{
	return is_by_proxy || policy_address_ok(&ways->proxy->policy, &ways->host, ways->port, address);
}

/* ---- connections that nobody uses ---- */

/* Nothing was asked: it has closed, or says what is no answer. */
static void drop(void *owner)
{
	struct idle *idle = owner;

	outlet_free(idle->outlet);
	idle->outlet = NULL;
}

static const struct outlet_ops idle_ops = {.on_readable = drop, .on_writable = drop, .on_broken = drop};

void ways_put(struct ways *ways, struct outlet *outlet, const struct in6_addr *address, bool is_by_proxy)
{
	for (size_t i = 0; i < IDLE_MAX; i++) {
		struct idle *idle = &ways->idle[i];

		if (idle->outlet)
			continue;
		*idle = (struct idle){ways, outlet, *address, is_by_proxy};
		outlet_set_owner(outlet, &idle_ops, idle);
		outlet_read(outlet, true);
		return;
	}
	outlet_free(outlet);
}

static bool take_idle(struct ways *ways, struct way *ret)
{
	for (size_t i = 0; i < IDLE_MAX; i++) {
		struct idle *idle = &ways->idle[i];

		if (!idle->outlet || !is_good(ways, &idle->address, idle->is_by_proxy))
			continue;
		*ret = (struct way){.outlet = idle->outlet,
				    .address = idle->address,
				    .is_by_proxy = idle->is_by_proxy,
				    .is_used = true};
		idle->outlet = NULL;
		return true;
	}
	return false;
}

/* ---- trunks ---- */

static void on_over(void *owner, struct trunk *trunk)
{
	struct ways *ways = owner;

	for (size_t i = 0; i < TRUNKS_MAX; i++)
		if (ways->lines[i].trunk == trunk)
			ways->lines[i].trunk = NULL;
}

static bool find_trunk(struct ways *ways, struct way *ret)
{
	for (size_t i = 0; i < TRUNKS_MAX; i++) {
		const struct line *line = &ways->lines[i];

		if (!line->trunk || !trunk_has_room(line->trunk) ||
		    !is_good(ways, &line->address, line->is_by_proxy))
			continue;
		*ret = (struct way){.trunk = line->trunk,
				    .address = line->address,
				    .is_by_proxy = line->is_by_proxy,
				    .is_used = true};
		return true;
	}
	return false;
}

static void add_trunk(struct ways *ways, const struct reach_result *result, struct way *ret)
{
	struct line *line = NULL;

	for (size_t i = 0; i < TRUNKS_MAX && !line; i++)
		line = ways->lines[i].trunk ? NULL : &ways->lines[i];
	if (!line || trunk_new(ways->proxy, result->outlet, on_over, ways, &line->trunk) < 0) {
		if (!line)
			outlet_free(result->outlet);
		ret->why = "the server's connections end one after the other";
		return;
	}
	line->address = result->address;
	line->is_by_proxy = result->is_by_proxy;
	ret->trunk = line->trunk;
}

/* ---- whoever waits ---- */

static void unlink_wait(struct way_wait *wait)
{
	if (!wait->link)
		return;
	*wait->link = wait->next;
	if (wait->next)
		wait->next->link = wait->link;
	wait->link = NULL;
}

/* way: what one has found, NULL for nothing yet; what it could not reach, the others cannot either. */
static void wake_all(struct ways *ways, const struct way *way)
{
	bool has_failed = way && !way->trunk && !way->outlet;
	struct way_wait *waiting = ways->waiting;

	ways->waiting = NULL;
	if (waiting)
		waiting->link = &waiting;
	while (waiting) {
		struct way_wait *wait = waiting;

		unlink_wait(wait);
		if (has_failed)
			wait->done(wait, way);
		else
			ways_get(ways, wait);
	}
}

void way_cancel(struct way_wait *wait)
{
	struct ways *ways = wait->ways;

	reach_cancel(wait->reach);
	wait->reach = NULL;
	unlink_wait(wait);
	if (!ways || ways->reaching != wait)
		return;
	/* Somebody else has to find out. */
	ways->reaching = NULL;
	wake_all(ways, NULL);
}

static void on_reached(void *owner, const struct reach_result *result)
{
	struct way_wait *wait = owner;
	struct ways *ways = wait->ways;
	bool was_first = ways->reaching == wait;
	struct way way = {.address = result->address,
			  .is_by_proxy = result->is_by_proxy,
			  .why = result->why,
			  .is_denied = result->is_denied};

	wait->reach = NULL;
	if (result->outlet && (wait->protocols & TLS_HTTP2))
		ways->is_http1 = result->protocol == TLS_HTTP1;
	if (result->outlet && result->protocol == TLS_HTTP2)
		add_trunk(ways, result, &way);
	else
		way.outlet = result->outlet;
	if (was_first)
		ways->reaching = NULL;
	wait->done(wait, &way);
	if (was_first)
		wake_all(ways, &way);
}

static void begin(struct ways *ways, struct way_wait *wait)
{
	static const struct way none = {.why = "there is no memory for a connection"};

	if ((wait->protocols & TLS_HTTP2) && !ways->is_http1)
		ways->reaching = wait;
	if (reach_start(ways->proxy, &ways->host, ways->port, wait->protocols, on_reached, wait,
			&wait->reach) == 0)
		return;
	if (ways->reaching == wait)
		ways->reaching = NULL;
	wait->done(wait, &none);
}

bool ways_has(const struct ways *ways, const struct trunk *trunk)
{
	for (size_t i = 0; i < TRUNKS_MAX; i++)
		if (ways->lines[i].trunk == trunk && trunk)
			return trunk_is_open(trunk);
	return false;
}

void ways_get(struct ways *ways, struct way_wait *wait)
{
	bool takes_http2 = wait->protocols & TLS_HTTP2;
	struct way way;

	wait->ways = ways;
	wait->link = NULL;
	wait->reach = NULL;
	if ((takes_http2 && find_trunk(ways, &way)) || (wait->takes_used && take_idle(ways, &way))) {
		wait->done(wait, &way);
		return;
	}
	if (!takes_http2 || !ways->reaching || ways->is_http1) {
		begin(ways, wait);
		return;
	}
	wait->next = ways->waiting;
	wait->link = &ways->waiting;
	if (wait->next)
		wait->next->link = &wait->next;
	ways->waiting = wait;
}
