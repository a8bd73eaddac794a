#include "proxy/orders.h"

#include "base/fd.h"
#include "base/log.h"
#include "proxy/journal.h"
#include "proxy/proxy-fds.h"
#include "proxy/resolve.h"
#include "proxy/session.h"
#include "proxy/tunnel.h"
#include "proxy/vault.h"
#include "proxy/ways.h"
#include "wire/chan.h"

#include <errno.h>
#include <stdlib.h>

enum { SECRETS_MAX_BYTES = SECRET_TEXT_MAX_BYTES, SETTING_MAX_BYTES = 65536, STORE_MAX_BYTES = 4 << 20 };

struct orders {
	struct proxy *proxy;
	uv_poll_t poll;
	uv_prepare_t prepare;
	struct buf rules[PROXY_LAYERS];
	bool is_known[PROXY_LAYERS];
	bool waits_to_write, is_ready;
};

static struct orders orders; /* a process serves one sandbox */

static void on_channel(uv_poll_t *poll, int status, int events);

/* A supervisor that is gone needs no proxy. */
static _Noreturn void leave(int status)
{
	exit(status);
}

/* ---- to the supervisor ---- */

static void flush_journal(void)
{
	int r = journal_flush(orders.proxy->journal);
	bool wants_write = journal_waits(orders.proxy->journal);

	if (r < 0 && r != -EAGAIN)
		leave(EXIT_FAILURE);
	if (wants_write == orders.waits_to_write)
		return;
	orders.waits_to_write = wants_write;
	uv_poll_start(&orders.poll, wants_write ? UV_READABLE | UV_WRITABLE : UV_READABLE, on_channel);
}

static void on_prepare(uv_prepare_t *prepare)
{
	(void)prepare;
	if (journal_waits(orders.proxy->journal) && !orders.waits_to_write)
		flush_journal();
}

static void on_ready(unsigned version)
{
	/* How often a guest begins again is its own business. */
	if (!orders.is_ready)
		(void)chan_send(PROXY_CHANNEL_FD, CHAN_PROXY_READY, 0, version, slice_text(""), -1);
	orders.is_ready = true;
}

static void on_failed(int error)
{
	log_line("the guest's port fails: %s", strerror(-error));
	leave(EXIT_FAILURE);
}

/* ---- from the supervisor ---- */

static int read_text(int fd, size_t limit, struct buf *ret)
{
	int r = fd < 0 ? -EBADF : 0;

	if (r == 0 && lseek(fd, 0, SEEK_SET) < 0)
		r = -errno;
	return r < 0 ? r : fd_read_all(fd, limit, ret);
}

/* The other layer was sound alone: where that is too much now, no line of it is to blame. */
static int parse_layers(const struct buf *const rules[PROXY_LAYERS], uint32_t changed, struct policy *ret,
			struct policy_error *error)
{
	static const char *const names[PROXY_LAYERS] = {
		[PROXY_LAYER_GLOBAL] = "global",
		[PROXY_LAYER_SANDBOX] = "sandbox",
	};
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < PROXY_LAYERS; i++) {
		r = policy_parse(buf_slice(rules[i]), names[i], ret, error);
		if (r < 0 && i != changed)
			error->line = 0;
	}
	return r;
}

static bool has_all_layers(void)
{
	for (size_t i = 0; i < PROXY_LAYERS; i++)
		if (!orders.is_known[i])
			return false;
	return true;
}

/* Takes the policy. A layer that is not known might deny anything. */
static void put_in_force(struct proxy *proxy, struct policy *policy)
{
	policy_done(&proxy->policy);
	proxy->has_policy = has_all_layers();
	if (proxy->has_policy) {
		proxy->policy = *policy;
	} else {
		policy_done(policy);
		policy_init(&proxy->policy);
	}
	tunnels_judge(proxy);
}

static void lose_layer(struct proxy *proxy, uint32_t layer)
{
	struct policy none;

	orders.is_known[layer] = false;
	buf_clear(&orders.rules[layer]);
	policy_init(&none);
	put_in_force(proxy, &none);
}

/* All or nothing: a text that is bad leaves the policy as it was. */
static int set_policy(struct proxy *proxy, uint32_t layer, int fd, struct policy_error *error)
{
	struct policy policy;
	auto_buf struct buf text = {0};
	const struct buf *rules[PROXY_LAYERS] = {&orders.rules[0], &orders.rules[1]};
	int r = read_text(fd, POLICY_TEXT_MAX_BYTES, &text);

	if (r < 0) {
		snprintf(error->text, sizeof(error->text), "the rules cannot be read: %s", strerror(-r));
		return r;
	}
	if (orders.is_known[layer] && orders.rules[layer].len == text.len &&
	    memcmp(buf_text(&orders.rules[layer]), buf_text(&text), text.len) == 0)
		return 0;
	rules[layer] = &text;
	policy_init(&policy);
	r = parse_layers(rules, layer, &policy, error);
	if (r < 0) {
		policy_done(&policy);
		return r;
	}
	buf_done(&orders.rules[layer]);
	orders.rules[layer] = text;
	buf_init(&text);
	orders.is_known[layer] = true;
	put_in_force(proxy, &policy);
	return 0;
}

static void take_policy(struct proxy *proxy, const struct chan_message *message, int fd)
{
	static const char *const names[PROXY_LAYERS] = {
		[PROXY_LAYER_GLOBAL] = "the rules for all sandboxes",
		[PROXY_LAYER_SANDBOX] = "the sandbox's own rules",
	};
	struct policy_error error = {.text = ""};
	char why[sizeof(error.text) + 64] = "";
	int r = 0;

	if (message->code >= PROXY_LAYERS) {
		r = -EINVAL;
		snprintf(why, sizeof(why), "there are no such rules");
	} else if (fd < 0) {
		lose_layer(proxy, message->code);
	} else {
		r = set_policy(proxy, message->code, fd, &error);
		if (r < 0 && error.line > 0)
			snprintf(why, sizeof(why), "%s, line %u: %s", names[message->code], error.line,
				 error.text);
		else if (r < 0)
			snprintf(why, sizeof(why), "%s: %s", names[message->code],
				 error.text[0] ? error.text : strerror(-r));
	}
	(void)chan_send(PROXY_CHANNEL_FD, CHAN_PROXY_APPLIED, message->id, (uint32_t)-r, slice_text(why), -1);
}

static int take_port(struct proxy *proxy, const struct chan_message *message, int fd)
{
	static const struct session_ops ops = {.on_ready = on_ready, .on_failed = on_failed};

	if (proxy->session || fd < 0 || message->body_len >= sizeof(proxy->sandbox))
		return -EBADMSG;
	memcpy(proxy->sandbox, message->body, message->body_len + 1);
	return session_new(proxy, steal_fd(&fd), &ops, &proxy->session);
}

/* What was open and is bound now, or is bound no more, is over. */
static int set_secrets(struct proxy *proxy, struct slice text, bool has_lost)
{
	int r = inject_set(&proxy->inject, text);

	proxy->has_lost_secrets = has_lost;
	if (r == 0)
		tunnels_judge(proxy);
	return r;
}

/* A connection to where a name went before is of another server than the person means now. */
static int set_redirects(struct proxy *proxy, struct buf *text)
{
	int r = redirects_parse(buf_slice(text), &proxy->redirects, NULL);

	if (r < 0 || slice_is(buf_slice(text), buf_text(&proxy->redirects_text)))
		return r;
	buf_clear(&proxy->redirects_text);
	r = buf_append(&proxy->redirects_text, buf_slice(text));
	tunnels_close(proxy, "where names go has changed");
	return r;
}

static int take_text(struct proxy *proxy, const struct chan_message *message, int fd)
{
	uint32_t kind = message->kind;
	size_t limit = SETTING_MAX_BYTES;
	auto_buf struct buf text = {0};
	int r;

	if (kind == CHAN_PROXY_STORE)
		limit = STORE_MAX_BYTES;
	else if (kind == CHAN_PROXY_SECRETS)
		limit = SECRETS_MAX_BYTES;
	r = read_text(fd, limit, &text);

	if (r < 0)
		return r;
	if (kind == CHAN_PROXY_SECRETS)
		return set_secrets(proxy, buf_slice(&text), message->code == 1);
	ways_renew(proxy);
	if (kind == CHAN_PROXY_STORE)
		return tls_settings_trust(proxy->tls, buf_slice(&text));
	if (kind == CHAN_PROXY_REDIRECT)
		return set_redirects(proxy, &text);
	return kind == CHAN_PROXY_RESOLVER ? resolver_configure(proxy->resolver, buf_slice(&text))
					   : upstream_parse(buf_slice(&text), &proxy->upstream);
}

/* What cannot be taken is said; what held before goes on. */
static void take(struct proxy *proxy, const struct chan_message *message, int fd)
{
	autofd int owned = fd;
	int r = -EBADMSG;

	switch (message->kind) {
	case CHAN_PROXY_POLICY:
		take_policy(proxy, message, owned);
		return;
	case CHAN_PROXY_PORT:
		r = take_port(proxy, message, steal_fd(&owned));
		break;
	case CHAN_PROXY_VAULT:
		r = owned < 0 ? -EBADMSG : vault_connect(proxy->vault, steal_fd(&owned));
		break;
	case CHAN_PROXY_RESOLVER:
	case CHAN_PROXY_UPSTREAM:
	case CHAN_PROXY_STORE:
	case CHAN_PROXY_SECRETS:
	case CHAN_PROXY_REDIRECT:
		r = take_text(proxy, message, owned);
		break;
	default:
		break;
	}
	if (r < 0)
		log_line("an order (%u) cannot be followed: %s", message->kind, strerror(-r));
}

static void on_channel(uv_poll_t *poll, int status, int events)
{
	struct chan_message message;
	int fd, r;

	(void)poll;
	if (status >= 0 && (events & UV_WRITABLE))
		flush_journal();
	if (status >= 0 && !(events & UV_READABLE))
		return;
	r = status < 0 ? status : chan_receive(PROXY_CHANNEL_FD, &message, &fd);
	if (r == -EAGAIN)
		return;
	if (r <= 0)
		leave(r == 0 ? EXIT_SUCCESS : EXIT_FAILURE);
	take(orders.proxy, &message, fd);
}

int orders_start(struct proxy *proxy)
{
	int r = fd_set_nonblock(PROXY_CHANNEL_FD);

	orders.proxy = proxy;
	r = r < 0 ? r : uv_poll_init(&proxy->loop, &orders.poll, PROXY_CHANNEL_FD);
	r = r < 0 ? r : uv_prepare_init(&proxy->loop, &orders.prepare);
	r = r < 0 ? r : uv_prepare_start(&orders.prepare, on_prepare);
	return r < 0 ? r : uv_poll_start(&orders.poll, UV_READABLE, on_channel);
}
