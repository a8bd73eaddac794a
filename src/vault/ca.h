/*
 * The certificate authority of one sandbox: certificates for the servers whose place the proxy takes (RFC
 * 5280). ECDSA with P-256. Whoever has the key can speak for any server towards this one sandbox, and towards
 * nobody else.
 */
#pragma once

#include "base/buf.h"

struct ca;

/* Makes one; name is for people who look at a certificate. */
int ca_new(const char *name, struct ca **ret);

/* Takes over what ca_save() has written; -EBADMSG where it is something else. */
int ca_load(struct slice text, struct ca **ret);
void ca_free(struct ca *ca);

/* Appends key and certificate (PEM): secret. */
int ca_save(const struct ca *ca, struct buf *into);

/* Appends the certificate (PEM), which the sandbox is to trust. */
int ca_certificate(const struct ca *ca, struct buf *into);

/*
 * Appends a certificate for that host, a DNS name or an address, and its key (PEM). -EINVAL where it is
 * neither.
 */
int ca_mint(const struct ca *ca, const char *host, struct buf *into);
