/*
 * One end of a TLS connection (RFC 8446, RFC 5246), over bytes that somebody else carries: no sockets, no
 * files. TLS 1.2 at least, no renegotiation, no resumption.
 */
#pragma once

#include "base/buf.h"
#include "policy/host.h"

#include <openssl/types.h>

enum { TLS_PIECE_BYTES = 16 << 10 /* what one record carries at most */ };

struct tls_settings; /* of all connections of a process */
struct tls;

/* What the connection carries, agreed on by ALPN (RFC 7301); without it, HTTP/1. */
enum tls_protocol { TLS_HTTP1 = 1, TLS_HTTP2 = 2 };

/* Has the library ready: before files are given up. */
int tls_prepare(void);

int tls_settings_new(struct tls_settings **ret);

/* What servers' certificates are verified against from now on (PEM); copied. Without it none is good. */
int tls_settings_trust(struct tls_settings *settings, struct slice pem);

/*
 * The server's end. Takes a reference of both. protocols: of enum tls_protocol; what the client offers is
 * chosen by our preference: HTTP/2 first, unless prefers_http1.
 */
int tls_accept(struct tls_settings *settings, X509 *certificate, EVP_PKEY *key, unsigned protocols,
	       bool prefers_http1, struct tls **ret);

/* The client's end: the server has to prove that it is that host. */
int tls_connect(struct tls_settings *settings, const struct host *host, unsigned protocols, struct tls **ret);
void tls_free(struct tls *tls);

/* Bytes of the other end. What they mean is seen with tls_read(). */
int tls_feed(struct tls *tls, struct slice bytes);

/*
 * Goes on with the handshake, and appends what has come since to *into: all of it, which is not more than
 * what was fed. Negative where the connection is broken, and tls_why() says why.
 */
int tls_read(struct tls *tls, struct buf *into);

/* All of it is taken; only once it is open. */
int tls_write(struct tls *tls, struct slice bytes);

/* Says that nothing more will be written. */
void tls_end(struct tls *tls);

/* Bytes for the other end; valid until the next call. tls_sent() when they are on their way. */
struct slice tls_outgoing(const struct tls *tls);
void tls_sent(struct tls *tls);

/* The handshake is done. */
bool tls_is_open(const struct tls *tls);

/* The other end has said that it will write no more. */
bool tls_has_ended(const struct tls *tls);
enum tls_protocol tls_protocol(const struct tls *tls);

/* Why it is broken, as a sentence that lives for ever. */
const char *tls_why(const struct tls *tls);
