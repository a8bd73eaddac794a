/*
 * What OpenSSL reads and writes, as buffers: it reads from the front of one, and appends to it. The library's
 * own (BIO_s_mem()) clears and moves what it holds each time that more comes.
 */
#pragma once

#include "base/buf.h"

#include <openssl/bio.h>

/* The kind, made once; it lives as long as any that are made of it. NULL: no memory. */
BIO_METHOD *buf_bio_method(void);

/* Borrows buf. Where there is nothing to read, it says so as a socket would. NULL: no memory. */
BIO *buf_bio_new(const BIO_METHOD *method, struct buf *buf);
