/*
 * Certificates for the servers whose place the proxy takes, one for each host: the vault mints them, and they
 * are kept for a while. The authority's key stays with the vault.
 */
#pragma once

#include "policy/host.h"
#include "proxy/vault.h"

#include <openssl/types.h>

struct leaves;

struct leaf {
	X509 *certificate;
	EVP_PKEY *key;
};

/* Embedded by whoever waits for one. leaf is NULL where there is none; borrowed until the call returns. */
struct leaf_wait {
	void (*done)(struct leaf_wait *wait, const struct leaf *leaf);
	struct leaf_wait *next, **link; /* link NULL: it does not wait */
};

int leaves_new(struct vault *vault, struct leaves **ret);

/* wait->done is set. It is called once, perhaps before this returns, and not after leaf_cancel(). */
void leaf_get(struct leaves *leaves, const struct host *host, struct leaf_wait *wait);
void leaf_cancel(struct leaf_wait *wait);
