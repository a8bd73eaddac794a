/* What programs in the guest trust: one bundle of certificates, where each of them looks. */
#pragma once

#include "base/slice.h"

/* Debian's place; GnuTLS, Go, curl and git read it without being told. */
#define TRUST_BUNDLE "/etc/ssl/certs/ca-certificates.crt"

/* Puts the bundle (PEM) in place; whoever reads it meanwhile finds the old one or the new one. */
int trust_apply(struct slice bundle);
