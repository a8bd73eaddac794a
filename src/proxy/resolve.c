/*
 * How it works
 *   IPv4 and IPv6 are asked for apart. Once one of them has brought addresses, the other one has a little
 * longer (RFC 8305, 3). Who asks for a name that is being asked for joins that question: a question cannot be
 * taken back, so this also bounds what a guest that connects and gives up, again and again, can have asked.
 */
#include "proxy/resolve.h"

#include "base/buf.h"
#include "proxy/known-names.h"
#include "proxy/resolver-text.h"

#include <ares.h>
#include <errno.h>
#include <stdlib.h>

enum {
	TRY_MS = 2000,
	TRIES = 3,
	OTHER_FAMILY_MS = 50,
	QUESTIONS_MAX = 512, /* names at once */
};

struct resolver {
	uv_loop_t *loop;
	ares_channel channel;
	uv_timer_t timer;        /* c-ares' own limits */
	struct watched *watched; /* c-ares' sockets */
	struct question *questions;
	unsigned n_questions;
	struct known_names known;
};

struct watched {
	uv_poll_t poll;
	struct resolver *resolver;
	struct watched *next;
	ares_socket_t fd;
};

struct question {
	struct resolver *resolver;
	struct question *next, **link;
	uv_timer_t timer; /* for the family that is late */
	struct lookup *lookups;
	struct in6_addr addresses[RESOLVE_ADDRESSES_MAX];
	size_t count;
	uint64_t for_ms;   /* how long all that was found may be kept */
	unsigned pending;  /* families, and the timer itself */
	int status;        /* of the last family that failed */
	bool is_cancelled; /* to be asked again */
	char *name;
};

struct lookup {
	struct lookup *next, **link;
	lookup_done done;
	void *owner;
};

/* ---- c-ares and the loop ---- */

static void on_timer(uv_timer_t *timer);

static void set_timer(struct resolver *resolver)
{
	struct timeval room, *left = ares_timeout(resolver->channel, NULL, &room);

	if (left)
		uv_timer_start(&resolver->timer, on_timer,
			       (uint64_t)left->tv_sec * 1000 + (uint64_t)left->tv_usec / 1000 + 1, 0);
	else
		uv_timer_stop(&resolver->timer);
}

static void process(struct resolver *resolver, ares_socket_t readable, ares_socket_t writable)
{
	ares_process_fd(resolver->channel, readable, writable);
	set_timer(resolver);
}

static void on_timer(uv_timer_t *timer)
{
	process(timer->data, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
	struct watched *watched = poll->data;
	ares_socket_t fd = watched->fd;

	if (status < 0)
		events = UV_READABLE | UV_WRITABLE; /* c-ares meets the error itself */
	process(watched->resolver, events & UV_READABLE ? fd : ARES_SOCKET_BAD,
		events & UV_WRITABLE ? fd : ARES_SOCKET_BAD);
}

static void free_watched(uv_handle_t *handle)
{
	free(handle->data);
}

static void unwatch(struct resolver *resolver, ares_socket_t fd)
{
	for (struct watched **link = &resolver->watched; *link; link = &(*link)->next) {
		struct watched *watched = *link;

		if (watched->fd != fd)
			continue;
		*link = watched->next;
		uv_close((uv_handle_t *)&watched->poll, free_watched);
		return;
	}
}

static struct watched *watch(struct resolver *resolver, ares_socket_t fd)
{
	struct watched *watched = resolver->watched;

	while (watched && watched->fd != fd)
		watched = watched->next;
	if (watched)
		return watched;
	watched = calloc(1, sizeof(*watched));
	if (!watched || uv_poll_init(resolver->loop, &watched->poll, fd) < 0) {
		free(watched);
		return NULL;
	}
	watched->poll.data = watched;
	watched->resolver = resolver;
	watched->fd = fd;
	watched->next = resolver->watched;
	resolver->watched = watched;
	return watched;
}

/* A socket that cannot be watched is one whose answers are not heard: c-ares' limits see to it. */
static void on_socket(void *data, ares_socket_t fd, int is_readable, int is_writable)
{
	struct resolver *resolver = data;
	struct watched *watched;

	if (!is_readable && !is_writable) {
		unwatch(resolver, fd);
		return;
	}
	watched = watch(resolver, fd);
	if (watched)
		uv_poll_start(&watched->poll,
			      (is_readable ? UV_READABLE : 0) | (is_writable ? UV_WRITABLE : 0), on_poll);
}

/* Everything is named, so that no file of the system has a say; the servers come with resolver_configure().
 */
int resolver_new(uv_loop_t *loop, struct resolver **ret)
{
	struct resolver *resolver = calloc(1, sizeof(*resolver));
	struct ares_options options = {.flags = ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES,
				       .timeout = TRY_MS,
				       .tries = TRIES,
				       .ndots = 1,
				       .lookups = (char *)(uintptr_t) "b",
				       .sock_state_cb = on_socket,
				       .sock_state_cb_data = resolver};
	int mask = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_NDOTS | ARES_OPT_LOOKUPS |
		   ARES_OPT_SERVERS | ARES_OPT_DOMAINS | ARES_OPT_SORTLIST | ARES_OPT_SOCK_STATE_CB;

	if (!resolver)
		return -ENOMEM;
	resolver->loop = loop;
	if (ares_library_init(ARES_LIB_INIT_ALL) != ARES_SUCCESS ||
	    ares_init_options(&resolver->channel, &options, mask) != ARES_SUCCESS ||
	    uv_timer_init(loop, &resolver->timer) < 0) {
		free(resolver);
		return -EIO;
	}
	resolver->timer.data = resolver;
	*ret = resolver;
	return 0;
}

/* ---- questions ---- */

static void free_question(uv_handle_t *handle)
{
	struct question *question = handle->data;

	free(question->name);
	free(question);
}

static void remove_question(struct question *question)
{
	if (!question->link)
		return;
	*question->link = question->next;
	if (question->next)
		question->next->link = question->link;
	question->link = NULL;
	question->resolver->n_questions--;
}

static void unlink_lookup(struct lookup *lookup)
{
	*lookup->link = lookup->next;
	if (lookup->next)
		lookup->next->link = lookup->link;
	free(lookup);
}

/* Nobody joins it any more; what still comes is not wanted. */
static void answer(struct question *question)
{
	const char *why = question->count > 0 ? NULL : ares_strerror(question->status);

	remove_question(question);
	/* Half an answer is good for those who wait. */
	if (question->pending == 0)
		known_names_add(&question->resolver->known, question->name, question->addresses,
				question->count, uv_now(question->resolver->loop), question->for_ms);
	while (question->lookups) {
		lookup_done done = question->lookups->done;
		void *owner = question->lookups->owner;

		unlink_lookup(question->lookups);
		done(owner, question->addresses, question->count, why);
	}
	if (question->pending == 0)
		uv_close((uv_handle_t *)&question->timer, free_question);
}

static void on_time(uv_timer_t *timer)
{
	answer(timer->data);
}

static void take_address(struct question *question, const struct ares_addrinfo_node *node)
{
	struct in6_addr *into = &question->addresses[question->count];

	if (question->count == RESOLVE_ADDRESSES_MAX)
		return;
	if (node->ai_family == AF_INET6 && node->ai_addrlen >= (ares_socklen_t)sizeof(struct sockaddr_in6)) {
		*into = ((const struct sockaddr_in6 *)(const void *)node->ai_addr)->sin6_addr;
		question->count++;
	} else if (node->ai_family == AF_INET &&
		   node->ai_addrlen >= (ares_socklen_t)sizeof(struct sockaddr_in)) {
		*into = (struct in6_addr){.s6_addr = {[10] = 0xff, [11] = 0xff}};
		memcpy(into->s6_addr + 12,
		       &((const struct sockaddr_in *)(const void *)node->ai_addr)->sin_addr, 4);
		question->count++;
	}
}

static void keep_shorter(struct question *question, int ttl_s)
{
	uint64_t for_ms = ttl_s > 0 ? (uint64_t)ttl_s * 1000 : 0;

	if (for_ms < question->for_ms)
		question->for_ms = for_ms;
}

static void take_answer(struct question *question, struct ares_addrinfo *found)
{
	for (const struct ares_addrinfo_cname *cname = found->cnames; cname; cname = cname->next)
		keep_shorter(question, cname->ttl);
	for (const struct ares_addrinfo_node *node = found->nodes; node; node = node->ai_next) {
		keep_shorter(question, node->ai_ttl);
		take_address(question, node);
	}
	ares_freeaddrinfo(found);
}

static void on_family(void *data, int status, int timeouts, struct ares_addrinfo *found)
{
	struct question *question = data;

	(void)timeouts;
	question->pending--;
	if (status != ARES_SUCCESS)
		question->status = status;
	question->is_cancelled = question->is_cancelled || (status == ARES_ECANCELLED && question->link);
	if (found)
		take_answer(question, found);
	if (!question->link && question->pending == 0)
		uv_close((uv_handle_t *)&question->timer, free_question);
	else if (question->link && !question->is_cancelled && (question->count > 0 || question->pending == 0))
		/* In a turn of its own: c-ares may answer before it was asked to the end. */
		uv_timer_start(&question->timer, on_time, question->pending > 0 ? OTHER_FAMILY_MS : 0, 0);
}

static void ask(struct question *question)
{
	static const int families[] = {AF_INET6, AF_INET};

	question->pending = array_len(families);
	question->count = 0;
	question->for_ms = KNOWN_NAME_MAX_MS;
	question->is_cancelled = false;
	uv_timer_stop(&question->timer);
	for (size_t i = 0; i < array_len(families); i++) {
		const struct ares_addrinfo_hints hints = {
			.ai_family = families[i], .ai_socktype = SOCK_STREAM, .ai_flags = ARES_AI_NOSORT};

		ares_getaddrinfo(question->resolver->channel, question->name, NULL, &hints, on_family,
				 question);
	}
	set_timer(question->resolver);
}

int resolver_configure(struct resolver *resolver, struct slice text)
{
	auto_buf struct buf servers = {0};
	struct question *next;
	int r = resolver_servers(text, &servers);

	if (r < 0)
		return r;
	known_names_clear(&resolver->known);
	ares_cancel(resolver->channel);
	r = ares_set_servers_ports_csv(resolver->channel, buf_text(&servers)) == ARES_SUCCESS ? 0 : -EINVAL;
	for (struct question *question = resolver->questions; question; question = next) {
		next = question->next;
		if (question->is_cancelled && question->lookups)
			ask(question);
		else if (question->is_cancelled)
			answer(question);
	}
	set_timer(resolver);
	return r;
}

static int question_new(struct resolver *resolver, const char *name, struct question **ret)
{
	struct question *question = calloc(1, sizeof(*question));

	if (question)
		question->name = strdup(name);
	if (!question || !question->name || uv_timer_init(resolver->loop, &question->timer) < 0) {
		if (question)
			free(question->name);
		free(question);
		return -ENOMEM;
	}
	question->timer.data = question;
	question->resolver = resolver;
	question->status = ARES_ENODATA;
	question->next = resolver->questions;
	question->link = &resolver->questions;
	if (question->next)
		question->next->link = &question->next;
	resolver->questions = question;
	resolver->n_questions++;
	*ret = question;
	return 0;
}

static struct question *find_question(struct resolver *resolver, const char *name)
{
	struct question *question = resolver->questions;

	while (question && strcmp(question->name, name) != 0)
		question = question->next;
	return question;
}

size_t resolver_known(const struct resolver *resolver, const char *name,
		      struct in6_addr ret_addresses[RESOLVE_ADDRESSES_MAX])
{
	const struct known_name *known = known_names_find(&resolver->known, name, uv_now(resolver->loop));

	if (known)
		memcpy(ret_addresses, known->addresses, known->count * sizeof(*ret_addresses));
	return known ? known->count : 0;
}

int lookup_start(struct resolver *resolver, const char *name, lookup_done done, void *owner,
		 struct lookup **ret)
{
	struct question *question = find_question(resolver, name);
	struct lookup *lookup;
	bool is_new = !question;
	int r = 0;

	if (is_new)
		r = resolver->n_questions < QUESTIONS_MAX ? question_new(resolver, name, &question) : -EBUSY;
	if (r < 0)
		return r;
	lookup = calloc(1, sizeof(*lookup));
	if (lookup) {
		*lookup = (struct lookup){
			.next = question->lookups, .link = &question->lookups, .done = done, .owner = owner};
		if (lookup->next)
			lookup->next->link = &lookup->next;
		question->lookups = lookup;
		*ret = lookup;
	}
	/* Asked in any case: that is what ends a question. */
	if (is_new)
		ask(question);
	return lookup ? 0 : -ENOMEM;
}

void lookup_cancel(struct lookup *lookup)
{
	if (lookup)
		unlink_lookup(lookup);
}
