#include "supervisor/network.h"

#include "base/fd.h"
#include "base/log.h"
#include "base/settings.h"
#include "keeper/keeper.h"
#include "wire/secret.h"

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

	/* One that cannot be read is not replaced by another, which might trust more. */
	if (named && *named)
		return named;
	for (size_t i = 0; i < array_len(places); i++)
		if (access(places[i], R_OK) == 0)
			return places[i];
	return places[0];
}

/* The folder's path, wherever its sandbox stands. */
static int find_own_policy(const struct place *place, char ret[PATH_MAX])
{
	static const char name[] = "/policy";
	char link[64];
	ssize_t len;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", place->dir);
	len = readlink(link, ret, PATH_MAX - sizeof(name));
	if (len < 0)
		return -errno;
	memcpy(ret + len, name, sizeof(name));
	return 0;
}

int network_find(struct network *network, const struct place *place)
{
	char policy[PLACE_PATH_BYTES], settings[PLACE_PATH_BYTES], own[PATH_MAX];
	int r = find_own_policy(place, own);

	if (r < 0)
		return r;
	*network = (struct network){.place = place, .port = -1};
	snprintf(policy, sizeof(policy), "%s/policy", place->paths.config);
	host_file_find(&network->resolver, "/etc/resolv.conf", RESOLVER_MAX_BYTES);
	host_file_find_own(&network->policy, policy, POLICY_MAX_BYTES);
	host_file_find_own(&network->own_policy, own, POLICY_MAX_BYTES);
	snprintf(settings, sizeof(settings), "%s/" SETTINGS_FILE_NAME, place->paths.config);
	host_file_find_own(&network->settings, settings, SETTINGS_MAX_BYTES);
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

/* Without one no server is believed. */
static void tell_store(struct network *network)
{
	if (host_file_read(&network->store) < 0)
		log_line("'%s' cannot be read: no server's certificate can be verified", network->store.path);
	(void)tell_text(&network->proxy, CHAN_PROXY_STORE, 0, 0, buf_slice(&network->store.last));
}

/* A file that is not there has no rules; one that cannot be read might deny anything. */
static int tell_policy(struct network *network, uint32_t id, enum proxy_layer layer, struct host_file *file)
{
	int r = host_file_read(file);

	if (r == 0 || r == -ENOENT)
		return tell_text(&network->proxy, CHAN_PROXY_POLICY, id, layer, buf_slice(&file->last));
	log_line("'%s' cannot be read: nothing is allowed: %s", file->path, strerror(-r));
	return role_tell(&network->proxy, CHAN_PROXY_POLICY, id, layer, slice_text(""), -1);
}

/* There is a limit for both layers together: the one that grows may have room only once the other has shrunk,
 * so the first is told again. What the proxy has already costs it nothing. */
static int tell_policies(struct network *network, uint32_t id)
{
	int r = tell_policy(network, 0, PROXY_LAYER_SANDBOX, &network->own_policy);

	r = r < 0 ? r : tell_policy(network, id, PROXY_LAYER_GLOBAL, &network->policy);
	return r < 0 ? r : tell_policy(network, id, PROXY_LAYER_SANDBOX, &network->own_policy);
}

int network_apply(struct network *network, uint32_t id)
{
	return tell_policies(network, id);
}

/* Before it knows, it takes nothing for a credential. */
static void tell_secrets(struct network *network)
{
	if (tell_text(&network->proxy, CHAN_PROXY_SECRETS, 0, network->vault.is_bare,
		      buf_slice(&network->vault.bindings)) < 0)
		log_line("the proxy could not be told of the secrets");
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

/* NOLINTNEXTLINE(readability-non-const-parameter): the role's prototype */
static int on_message(void *owner, const struct chan_message *message, int *fd)
{
	struct network *network = owner;

	(void)fd;
	if (message->kind == CHAN_PROXY_NOTE) {
		network->ops->on_note(network->owner, message->body);
	} else if (message->kind == CHAN_PROXY_APPLIED) {
		if (message->code != 0)
			log_line("%s; the rules before stay, and without any nothing is allowed",
				 message->body);
		if (message->id != 0)
			network->ops->on_applied(network->owner, message->id,
						 message->code ? message->body : NULL);
	} else if (message->kind != CHAN_PROXY_READY) {
		return -EBADMSG;
	}
	return 0;
}

/* They speak to each other without this process. */
static void introduce(struct network *network)
{
	autofd int proxy = -1, vault = -1;
	int pair[2];

	if (!network->proxy.end || !network->vault.role.end)
		return;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
		log_line("the proxy and the vault have no channel: %s", strerror(errno));
		return;
	}
	proxy = pair[0];
	vault = pair[1];
	if (role_tell(&network->vault.role, CHAN_VAULT_PROXY, 0, 0, slice_text(""), vault) == 0)
		(void)role_tell(&network->proxy, CHAN_PROXY_VAULT, 0, 0, slice_text(""), proxy);
}

static void take_proxy(struct network *network, pid_t pid, int *channel)
{
	if (role_attach(&network->proxy, network->loop, steal_fd(channel), pid) < 0) {
		log_line("the proxy cannot be heard: the sandbox reaches nothing");
		return;
	}
	network->has_port = false;
	tell_resolver(network);
	tell_store(network);
	(void)tell_text(&network->proxy, CHAN_PROXY_UPSTREAM, 0, 0, buf_slice(&network->upstream));
	tell_redirects(network);
	(void)tell_policies(network, 0);
	tell_secrets(network);
	introduce(network);
	give_port(network);
}

void network_on_role(struct network *network, unsigned id, pid_t pid, int *channel)
{
	if (id == KEEPER_PROXY) {
		take_proxy(network, pid, channel);
	} else {
		vault_on_role(&network->vault, pid, channel);
		introduce(network);
	}
}

void network_on_role_failed(struct network *network, unsigned id, const char *why)
{
	if (id == KEEPER_PROXY) {
		log_line("the proxy cannot be started: %s; the sandbox reaches nothing", why);
		return;
	}
	log_line("the vault cannot be started: %s; connections that have to be looked into are refused", why);
	network->vault.has_failed = true;
	network->ops->on_trust(network->owner);
}

bool network_is_ready(const struct network *network)
{
	return network->vault.has_failed || network->vault.certificate.len > 0;
}

/* ---- changes on the host ---- */

static void on_certificate(void *owner)
{
	struct network *network = owner;

	network->ops->on_trust(network->owner);
}

static void on_secrets(void *owner)
{
	struct network *network = owner;

	if (network->proxy.end)
		tell_secrets(network);
	network->ops->on_secrets(network->owner);
}

static void on_fed(void *owner, uint32_t id, const char *error)
{
	struct network *network = owner;

	network->ops->on_fed(network->owner, id, error);
}

static void on_proxy_gone(void *owner)
{
	struct network *network = owner;

	network->ops->on_proxy_gone(network->owner);
}

static void on_vault_gone(void *owner)
{
	struct network *network = owner;

	network->ops->on_vault_gone(network->owner);
}

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

	tell_store(network);
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
	r = r < 0 ? r : fd_write_all(file, slice_text("\n"));
	r = r < 0 ? r : fd_write_all(file, buf_slice(&network->vault.certificate));
	if (r < 0)
		close(file);
	return r < 0 ? r : file;
}

int network_feed(struct network *network, uint32_t id, int pipe)
{
	return vault_feed(&network->vault, id, pipe);
}

int network_environment(const struct network *network, struct buf *into)
{
	struct secret_reader reader = {.text = buf_slice(&network->vault.bindings)};
	struct secret_binding binding;
	int r = 0;

	while (r == 0 && secret_next(&reader, &binding, NULL) > 0)
		for (size_t i = 0; r == 0 && i < binding.n_names; i++)
			r = buf_printf(into, "%.*s=%.*s\n", (int)binding.names[i].len, binding.names[i].ptr,
				       (int)binding.placeholder.len, binding.placeholder.ptr);
	return r;
}

void network_start(struct network *network, uv_loop_t *loop, struct shares *keeper,
		   const struct network_ops *ops, void *owner)
{
	static const struct vault_ops vault_ops = {.on_certificate = on_certificate,
						   .on_secrets = on_secrets,
						   .on_fed = on_fed,
						   .on_gone = on_vault_gone};

	network->loop = loop;
	network->keeper = keeper;
	network->ops = ops;
	network->owner = owner;
	network->proxy.on_message = on_message;
	network->proxy.on_gone = on_proxy_gone;
	network->proxy.owner = network;
	vault_init(&network->vault, loop, network->place, &vault_ops, network);
	(void)shares_keep_role(keeper, KEEPER_PROXY);
	(void)shares_keep_role(keeper, KEEPER_VAULT);
	/* A folder that cannot be watched costs that a change is heard of at the next start. */
	(void)host_file_watch(&network->resolver, loop, on_resolver_change, network);
	(void)host_file_watch(&network->settings, loop, on_settings_change, network);
	(void)host_file_watch(&network->policy, loop, on_policy_change, network);
	(void)host_file_watch(&network->own_policy, loop, on_policy_change, network);
	(void)host_file_watch(&network->store, loop, on_store_change, network);
}

void network_connect(struct network *network, int port)
{
	bool is_second = network->has_port;

	network->port = port;
	network->has_port = false;
	/* A proxy that has served another machine knows its connections. */
	if (is_second)
		(void)shares_keep_role(network->keeper, KEEPER_PROXY);
	else
		give_port(network);
}
