/* How a tunnel hears that it was denied, or that it cannot be served. The record says why; see tunnel_deny().
 */
#pragma once

#include "proxy/tunnel.h"

/*
 * Answers a plain HTTP request and ends the connection: 403 for what the policy denies, otherwise that status
 * with a sentence. has_no_body: to HEAD.
 */
void http_deny(struct tunnel *tunnel, bool has_no_body);
void http_fail(struct tunnel *tunnel, unsigned status, const char *why, bool has_no_body);

/*
 * The same where the client's TLS handshake is the first thing in `in`: over TLS, with a certificate of the
 * sandbox's authority.
 */
void tls_deny(struct tunnel *tunnel);

/* Appends the sentences for a person: what was blocked, by what, and what would allow it. */
int denial_text(struct buf *into, const struct record *record, const char *sandbox);
