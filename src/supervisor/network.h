/*
 * The way out of one sandbox: the proxy that judges each connection, and what it has to know of the host.
 * What changes there reaches it while the sandbox runs.
 */
#pragma once

#include "supervisor/host-file.h"
#include "supervisor/place.h"
#include "supervisor/role.h"
#include "supervisor/shares.h"

struct network_ops {
	/* What the host trusts has changed: network_trust(). */
	void (*on_trust)(void *owner);
	/* For the journal: one JSON object, not looked at. */
	void (*on_note)(void *owner, const char *text);
	/* A policy that was given with that id holds, or error says why not. */
	void (*on_applied)(void *owner, uint32_t id, const char *error);
};

struct network {
	const struct network_ops *ops;
	void *owner;
	uv_loop_t *loop;
	struct shares *keeper; /* borrowed: it starts the proxy */
	const struct place *place;
	struct role proxy;
	struct host_file resolver, policy, store, settings;
	struct buf upstream; /* lines of the host's own proxies */
	int port;            /* borrowed, of the machine; -1 while there is none */
	bool has_port;       /* the proxy was given it */
};

/* Finds the host's files and settings; before this process gives anything up. */
int network_find(struct network *network, const struct place *place);

/* Has the proxy started; ops and owner are borrowed. */
void network_start(struct network *network, uv_loop_t *loop, struct shares *keeper,
		   const struct network_ops *ops, void *owner);

/* The proxy is there, for the first time or again, and knows nothing; takes its channel. */
void network_on_proxy(struct network *network, pid_t pid, int *channel);

/* The port of a machine that has just been started; borrowed. */
void network_connect(struct network *network, int port);

/* What the host trusts (PEM), for programs inside: a memory file of the caller's; negative where there is
 * none. */
int network_trust(struct network *network);

/* Has the policies read again; on_applied follows, with that id. */
int network_apply(struct network *network, uint32_t id);
