/*
 * Messages between the supervisor and its roles: SOCK_SEQPACKET, so that one send is one receive, each a
 * fixed struct with one optional descriptor. The receiver believes nothing: a size, kind or length that is
 * wrong closes the channel.
 */
#pragma once

#include "base/buf.h"

#include <stdint.h>

enum { CHAN_BODY_MAX_BYTES = 4096 };

enum chan_kind {
	/* supervisor to link */
	CHAN_STREAM = 1, /* the descriptor is a client that wants the stream named by body (a path of
			    wire/control.h) */
	CHAN_REQUEST, /* ask the guest: body is "METHOD PATH\n" and the request's body, which the content of
			 the descriptor is part of, if there is one */
	/* link to supervisor */
	CHAN_READY, /* the guest has answered the handshake; code is its version */
	CHAN_REPLY, /* to the request of that id; code is the HTTP status, 0 if it could not be asked */
	CHAN_LOST,  /* the session is over; body says why; code 1: the engine closed its end */
	/* supervisor to keeper */
	CHAN_KEEP, /* serve the folder behind the descriptor (O_PATH) as share `id`; code: enum share_mode.
		      Without one, KEEPER_PROXY or KEEPER_VAULT (keeper/keeper.h) */
	CHAN_DROP, /* end the server of share `id` */
	/* keeper to supervisor */
	CHAN_SERVED, /* share `id` has a server, for the first time or again; the descriptor is the channel to
		      * it
		      */
	CHAN_FAILED, /* share `id` has none any more; body says why */
	/* supervisor to share, in this order where they come at all */
	CHAN_SHARE_GUARD, /* body: one rule of the person's for guarded paths (share/guard.h) */
	CHAN_SHARE_STATE, /* the descriptor holds what the last server has saved, and nothing else */
	CHAN_SHARE_PORT,  /* the descriptor is the guest's port; code: enum share_guest */
	CHAN_SHARE_SAVE,  /* write what has to be known to go on to the descriptor */
	CHAN_SHARE_DIFF,  /* write what the guest has changed to the descriptor */
	/* share to supervisor */
	CHAN_SHARE_DONE, /* SAVE or DIFF `id` is done; code: 0 or an errno value */
	CHAN_SHARE_NOTE, /* for the journal: body is a JSON object */
	/* supervisor to proxy; descriptors are memory files unless said otherwise. All but PORT may come
	 * again, and what they bring holds from then on. */
	CHAN_PROXY_PORT, /* the descriptor is the guest's port; body: the sandbox's name. Last at the start */
	CHAN_PROXY_POLICY, /* rules (policy/policy.h); code: enum proxy_layer; answered with APPLIED. Without
			    * a descriptor: there are some that cannot be read, and nothing is allowed until
			    * they come. Nor is it before each layer has come once.
			    */
	CHAN_PROXY_RESOLVER, /* the text of resolv.conf(5) */
	CHAN_PROXY_UPSTREAM, /* lines "http_proxy=URL", "https_proxy=URL", "no_proxy=LIST" */
	CHAN_PROXY_REDIRECT, /* names that go elsewhere (policy/redirect.h) */
	CHAN_PROXY_STORE,    /* certificates (PEM): what servers' are verified against */
	CHAN_PROXY_VAULT,    /* the descriptor is a channel to the vault */
	CHAN_PROXY_SECRETS,  /* bindings without values (wire/secret.h): all that there are now; code 1: the
			      * vault has lost some, and is to be given them anew
			      */
	/* proxy to supervisor */
	CHAN_PROXY_READY,   /* the guest has answered the handshake for the first time; code is its version */
	CHAN_PROXY_APPLIED, /* POLICY `id` holds for what is open too; or code is an errno value, body a
			     * sentence, and what held before still does
			     */
	CHAN_PROXY_NOTE,    /* for the journal: body is lines, a JSON object each */
	/* supervisor to vault; each is answered with DONE */
	CHAN_VAULT_CA, /* the descriptor holds the sandbox's authority, or is empty: then one is made and
			  written to it; body is its name */
	CHAN_VAULT_CERTIFICATE, /* write the authority's certificate to the descriptor */
	CHAN_VAULT_PROXY,       /* the descriptor is a channel to the proxy, from now on */
	CHAN_VAULT_FEED,        /* the descriptor is the end of a pipe by which the store sends bindings, more
				   than once where it goes on; answered when the first have been taken */
	/* vault to supervisor */
	CHAN_VAULT_DONE, /* of the message of that id; code: 0 or an errno value; body: a sentence, for FEED
			  */
	CHAN_VAULT_SECRETS, /* the descriptor holds all bindings as they are now, without values; before the
			       DONE of what has changed them */
	/* proxy to vault */
	CHAN_VAULT_MINT,   /* body: a host */
	CHAN_VAULT_REVEAL, /* for one request; body: "SERVICE HOST PORT", the host in its canonical form */
	/* vault to proxy */
	CHAN_VAULT_LEAF, /* to the MINT of that id; body: key and certificate (PEM); code: 0 or an errno value
			  */
	CHAN_VAULT_HEADER, /* to the REVEAL of that id: body is the value of the header that the binding
			      names, or it is what the descriptor holds, where there is one; code: 0 or an
			      errno value
			      */
	CHAN_KINDS,
};

enum share_mode { SHARE_READ_WRITE, SHARE_READ_ONLY };

/* What the guest at the other end of a share's port knows of an earlier server. */
enum share_guest {
	SHARE_GUEST_NEW,       /* it mounts the folder anew */
	SHARE_GUEST_CONTINUES, /* it has mounted it, with the server whose state was given, or one that is
				  lost */
};

/* Deny beats allow, whichever layer it stands in. */
enum proxy_layer { PROXY_LAYER_GLOBAL, PROXY_LAYER_SANDBOX, PROXY_LAYERS };

struct chan_message {
	uint32_t kind;
	uint32_t id;
	uint32_t code;
	uint32_t body_len;
	char body[CHAN_BODY_MAX_BYTES];
};

/* Sends one. fd is borrowed, -1 for none. -EAGAIN where a non-blocking channel is full. */
int chan_send(int chan, enum chan_kind kind, uint32_t id, uint32_t code, struct slice body, int fd);

/*
 * Receives one into *ret; *ret_fd is a descriptor that the caller owns, or -1. The body is followed by a NUL.
 * Returns 1, 0 at the end, -EAGAIN where there is nothing, -EBADMSG for nonsense.
 */
int chan_receive(int chan, struct chan_message *ret, int *ret_fd);
