/*
 * The way out of one sandbox: the proxy that judges each connection, and what it has to know of the host.
 * What changes there reaches it while the sandbox runs.
 */
#pragma once

#include "supervisor/host-file.h"
#include "supervisor/place.h"
#include "supervisor/role.h"
#include "supervisor/shares.h"
#include "supervisor/vault.h"

struct network_ops {
	/* What programs inside are to trust has changed: network_trust(). */
	void (*on_trust)(void *owner);
	/* For the journal: one JSON object, not looked at. */
	void (*on_note)(void *owner, const char *text);
	/* Which secrets there are has changed: network_environment(). */
	void (*on_secrets)(void *owner);
	/* What was fed with that id has been taken, or error says why not. */
	void (*on_fed)(void *owner, uint32_t id, const char *error);
	/* The vault has ended, and with it what it was fed: on_fed does not follow. */
	void (*on_vault_gone)(void *owner);
	/* Rules of one layer that were given with that id hold, or error says why not. */
	void (*on_applied)(void *owner, uint32_t id, const char *error);
	/* The proxy has ended: on_applied does not follow. The next one is told the rules as they are then.
	 */
	void (*on_proxy_gone)(void *owner);
};

struct network {
	const struct network_ops *ops;
	void *owner;
	uv_loop_t *loop;
	struct shares *keeper; /* borrowed: it starts the proxy */
	const struct place *place;
	struct role proxy;
	struct vault vault;
	struct host_file resolver, store, settings;
	struct host_file policy, own_policy; /* for all sandboxes, for this one */
	struct buf upstream;                 /* lines of the host's own proxies */
	int port;                            /* borrowed, of the machine; -1 while there is none */
	bool has_port;                       /* the proxy was given it */
};

/* Finds the host's files and settings; before this process gives anything up. */
int network_find(struct network *network, const struct place *place);

/* Has the proxy and the vault started; ops and owner are borrowed. */
void network_start(struct network *network, uv_loop_t *loop, struct shares *keeper,
		   const struct network_ops *ops, void *owner);

/* The role (keeper/keeper.h) is there, for the first time or again, and knows nothing; takes its channel. */
void network_on_role(struct network *network, unsigned id, pid_t pid, int *channel);

/* It cannot be started. */
void network_on_role_failed(struct network *network, unsigned id, const char *why);

/* Whether network_trust() is what it is going to be. */
bool network_is_ready(const struct network *network);

/* The port of a machine that has just been started; borrowed. */
void network_connect(struct network *network, int port);

/* What programs inside are to trust (PEM), which is what the host trusts and this sandbox's own authority: a
 * memory file of the caller's; negative where there is none. */
int network_trust(struct network *network);

/* Has the policies read again; on_applied follows with that id, for each of the two layers. */
int network_apply(struct network *network, uint32_t id);

/* Hands the vault a pipe from the store, borrowed; on_fed follows, with that id. */
int network_feed(struct network *network, uint32_t id, int pipe);

/* Appends lines NAME=PLACEHOLDER for the programs inside. */
int network_environment(const struct network *network, struct buf *into);
