/*
 * The servers of a running sandbox's folders. A keeper (keeper/keeper.h) starts them and replaces what ends;
 * this end hands each its folder, what the last one knew, and its port.
 */
#pragma once

#include "base/err.h"
#include "supervisor/share-states.h"
#include "wire/chan.h"

#include <stdbool.h>
#include <sys/types.h>
#include <uv.h>

enum { SHARES_RULES_MAX = 256 };

struct shares_ops {
	/* A server has something for the journal: one JSON object, not looked at. */
	void (*on_note)(void *owner, unsigned id, const char *text);
	/* The proxy (KEEPER_PROXY) or the vault (KEEPER_VAULT) has been started, for the first time or again;
	 * channel is its, to be taken. */
	void (*on_role)(void *owner, unsigned id, pid_t pid, int *channel);
	/* It cannot be started. */
	void (*on_role_failed)(void *owner, unsigned id, const char *why);
	/* A folder has no server any more. */
	void (*on_failed)(void *owner, unsigned id, const char *why);
};

struct share_server;

struct share {
	char *name; /* owned: its folder, for a person; NULL where the share is not in use */
	int root;   /* owned, O_PATH */
	int state;  /* owned: what the last server knew; -1 for nothing */
	int port;   /* borrowed, of the machine; -1 while there is none */
	enum share_mode mode;
	enum share_guest guest;
	bool has_port; /* its server was given it */
	pid_t pid;
	struct share_server *server; /* NULL while there is none */
};

/* What is asked of all servers, one after the other. */
struct shares_round {
	enum chan_kind kind; /* 0 while nothing is asked */
	unsigned next;
	uint32_t serial; /* of the question that is asked now: a late answer to another one is none */
	int into, state;
	void (*on_done)(void *owner, int result);
	void *owner;
};

struct shares {
	uv_loop_t *loop;
	const struct shares_ops *ops;
	void *owner;
	pid_t keeper;
	int channel; /* to the keeper; -1 while there is none */
	uv_poll_t watch;
	uv_timer_t limit;
	struct share all[SHARE_PORTS];
	struct shares_round round;
	char **rules; /* owned, NULL-ended */
};

/* Starts the keeper: before this process gives up anything that servers need. */
int shares_start(struct shares *shares, struct err *err);

int shares_attach(struct shares *shares, uv_loop_t *loop, const struct shares_ops *ops, void *owner);

/* Has the proxy (KEEPER_PROXY) or the vault (KEEPER_VAULT) started anew; on_role follows. */
int shares_keep_role(struct shares *shares, unsigned id);

/* Has a folder served; takes root and state (-1 for none). The guest is told by somebody else. */
int shares_keep(struct shares *shares, unsigned id, const char *name, int root, enum share_mode mode,
		enum share_guest guest, int state);
void shares_drop(struct shares *shares, unsigned id);

/* The ports of a machine that has just been started; borrowed until the next call. */
void shares_connect(struct shares *shares, const int ports[SHARE_PORTS]);

/*
 * Writes what the servers have to know to go on. The machine stands still. Whatever else is being asked ends
 * with -ECANCELED. What does not answer in time is left out: its folder begins anew.
 */
int shares_save(struct shares *shares, int into, void (*on_done)(void *owner, int result), void *owner);

/*
 * Has the servers write what the guest has changed: lines of JSON, each folder's after {"share": name}.
 * -EBUSY while something else is asked.
 */
int shares_diff(struct shares *shares, int into, void (*on_done)(void *owner, int result), void *owner);

/* The rules of the person's for guarded paths, from now on. Copies them. */
int shares_guard(struct shares *shares, char *const *rules);

static inline bool shares_has(const struct shares *shares, unsigned id)
{
	return id < SHARE_PORTS && shares->all[id].name;
}
