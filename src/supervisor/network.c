#include "supervisor/network.h"

#include "base/fd.h"
#include "base/file.h"
#include "base/log.h"
#include "base/settings.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

enum {
	RESOLVER_MAX_BYTES = 64 << 10,
	STORE_MAX_BYTES = 3 << 20,
	POLICY_MAX_BYTES = 1 << 20,
};

/* ---- what the host has ---- */

static int find_upstream(struct buf *into)
{
	static const struct {
		const char *key, *upper, *lower;
	} settings[] = {{"https_proxy", "HTTPS_PROXY", "https_proxy"},
			{"http_proxy", "HTTP_PROXY", "http_proxy"},
			{"no_proxy", "NO_PROXY", "no_proxy"}};
	int r = 0;

	for (size_t i = 0; r == 0 && i < array_len(settings); i++) {
		const char *value = getenv(settings[i].lower);

		value = value && *value ? value : getenv(settings[i].upper);
		if (value && *value && !strchr(value, '\n'))
			r = buf_printf(into, "%s=%s\n", settings[i].key, value);
	}
	return r;
}

/* Where the host says that its certificates are; else where systems have them. */
static const char *find_store(void)
{
	static const char *const places[] = {"/etc/ssl/certs/ca-certificates.crt",
					     "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem",
					     "/etc/ssl/cert.pem"};
	const char *named = getenv("SSL_CERT_FILE");

	if (named && access(named, R_OK) == 0)
		return named;
	for (size_t i = 0; i < array_len(places); i++)
		if (access(places[i], R_OK) == 0)
			return places[i];
	return places[0];
}

int network_find(struct network *network, const struct place *place)
{
	char policy[PLACE_PATH_BYTES], settings[PLACE_PATH_BYTES];

	*network = (struct network){.place = place, .port = -1};
	snprintf(policy, sizeof(policy), "%s/policy", place->paths.config);
	host_file_find(&network->resolver, "/etc/resolv.conf", RESOLVER_MAX_BYTES);
	host_file_find(&network->policy, policy, POLICY_MAX_BYTES);
	snprintf(settings, sizeof(settings), "%s/" SETTINGS_FILE_NAME, place->paths.config);
	host_file_find(&network->settings, settings, SETTINGS_MAX_BYTES);
	host_file_find(&network->store, find_store(), STORE_MAX_BYTES);
	return find_upstream(&network->upstream);
}

/* ---- contents travel as memory files ---- */

static int tell_text(const struct role *role, enum chan_kind kind, uint32_t id, uint32_t code,
		     struct slice text)
{
	autofd int file = memfd_create("sbx-text", MFD_CLOEXEC);
	int r = file < 0 ? -errno : fd_write_all(file, text);

	return r < 0 ? r : role_tell(role, kind, id, code, slice_text(""), file);
}

static void tell_resolver(struct network *network)
{
	if (host_file_read(&network->resolver) < 0)
		log_line("'%s' cannot be read: names are not found from here", network->resolver.path);
	(void)tell_text(&network->proxy, CHAN_PROXY_RESOLVER, 0, 0, buf_slice(&network->resolver.last));
}

/* Names that go elsewhere on this machine's word. */
static void tell_redirects(struct network *network)
{
	int r = host_file_read(&network->settings);

	if (r < 0 && r != -ENOENT)
		log_line("'%s' cannot be read: nothing is set", network->settings.path);
	(void)tell_text(&network->proxy, CHAN_PROXY_REDIRECT, 0, 0,
			settings_get(buf_slice(&network->settings.last), "network.resolve"));
}

/* One that cannot be read allows nothing. */
static int tell_policies(struct network *network, uint32_t id)
{
	auto_buf struct buf own = {0};
	int r = host_file_read(&network->policy);

	if (r < 0 && r != -ENOENT)
		log_line("'%s' cannot be read: nothing is allowed", network->policy.path);
	r = file_read(network->place->dir, "policy", POLICY_MAX_BYTES, &own);
	if (r < 0 && r != -ENOENT)
		log_line("the sandbox's policy cannot be read: %s", strerror(-r));
	r = tell_text(&network->proxy, CHAN_PROXY_POLICY, 0, PROXY_LAYER_SANDBOX, buf_slice(&own));
	return r < 0 ? r
		     : tell_text(&network->proxy, CHAN_PROXY_POLICY, id, PROXY_LAYER_GLOBAL,
				 buf_slice(&network->policy.last));
}

int network_apply(struct network *network, uint32_t id)
{
	return tell_policies(network, id);
}

static void give_port(struct network *network)
{
	if (network->port < 0 || network->has_port)
		return;
	if (role_tell(&network->proxy, CHAN_PROXY_PORT, 0, 0, slice_text(network->place->name),
		      network->port) == 0)
		network->has_port = true;
}

/* ---- the proxy ---- */

static int on_message(void *owner, const struct chan_message *message, int *fd)
{
	struct network *network = owner;

	(void)fd;
	if (message->kind == CHAN_PROXY_NOTE) {
		network->ops->on_note(network->owner, message->body);
	} else if (message->kind == CHAN_PROXY_APPLIED) {
		if (message->code != 0)
			log_line("%s; the rules before stay", message->body);
		if (message->id != 0)
			network->ops->on_applied(network->owner, message->id,
						 message->code ? message->body : NULL);
	} else if (message->kind != CHAN_PROXY_READY) {
		return -EBADMSG;
	}
	return 0;
}

void network_on_proxy(struct network *network, pid_t pid, int *channel)
{
	if (role_attach(&network->proxy, network->loop, steal_fd(channel), pid) < 0) {
		log_line("the proxy cannot be heard: the sandbox reaches nothing");
		return;
	}
	network->has_port = false;
	tell_resolver(network);
	(void)tell_text(&network->proxy, CHAN_PROXY_UPSTREAM, 0, 0, buf_slice(&network->upstream));
	tell_redirects(network);
	(void)tell_policies(network, 0);
	give_port(network);
}

/* ---- changes on the host ---- */

static void on_resolver_change(void *owner)
{
	tell_resolver(owner);
}

static void on_settings_change(void *owner)
{
	tell_redirects(owner);
}

static void on_policy_change(void *owner)
{
	(void)tell_policies(owner, 0);
}

static void on_store_change(void *owner)
{
	struct network *network = owner;

	network->ops->on_trust(network->owner);
}

/* ---- from outside ---- */

int network_trust(struct network *network)
{
	int file = -1, r = host_file_read(&network->store);

	if (r < 0)
		log_line("'%s' cannot be read: the sandbox trusts what it did before", network->store.path);
	if (r < 0 || network->store.last.len == 0)
		return r < 0 ? r : -ENOENT;
	file = memfd_create("sbx-trust", MFD_CLOEXEC);
	if (file < 0)
		return -errno;
	r = fd_write_all(file, buf_slice(&network->store.last));
	if (r < 0)
		close(file);
	return r < 0 ? r : file;
}

void network_start(struct network *network, uv_loop_t *loop, struct shares *keeper,
		   const struct network_ops *ops, void *owner)
{
	network->loop = loop;
	network->keeper = keeper;
	network->ops = ops;
	network->owner = owner;
	network->proxy.on_message = on_message;
	network->proxy.owner = network;
	(void)shares_keep_proxy(keeper);
	/* A folder that cannot be watched costs that a change is heard of at the next start. */
	(void)host_file_watch(&network->resolver, loop, on_resolver_change, network);
	(void)host_file_watch(&network->settings, loop, on_settings_change, network);
	(void)host_file_watch(&network->policy, loop, on_policy_change, network);
	(void)host_file_watch(&network->store, loop, on_store_change, network);
}

void network_connect(struct network *network, int port)
{
	bool is_second = network->has_port;

	network->port = port;
	network->has_port = false;
	/* A proxy that has served another machine knows its connections. */
	if (is_second)
		(void)shares_keep_proxy(network->keeper);
	else
		give_port(network);
}
