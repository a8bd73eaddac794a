/*
 * DNS messages (RFC 1035) as far as a resolver needs them that knows every answer itself: one question in,
 * one answer out. Pure. Answers are never compressed and never longer than a datagram may be.
 */
#pragma once

#include "base/buf.h"

#include <stdint.h>

enum { DNS_NAME_BYTES = 256, DNS_HEAD_BYTES = 12 };

enum dns_type { DNS_A = 1, DNS_PTR = 12, DNS_AAAA = 28, DNS_ANY = 255 };

enum dns_code {
	DNS_GOOD = 0,
	DNS_MALFORMED = 1,
	DNS_FAILED = 2,
	DNS_NO_NAME = 3,
	DNS_NOT_KNOWN = 4, /* a kind of query that is not understood */
	DNS_REFUSED = 5,
};

struct dns_question {
	uint16_t id, flags, type, class;
	struct slice section;      /* the question as it came; empty where it could not be read */
	char name[DNS_NAME_BYTES]; /* as typed, without the dot at the end; "" is the root */
	bool is_plain;             /* name has nothing in it but letters, digits, '-', '_' and dots between */
};

/*
 * Reads a query; what follows the question is of no interest. Gives a negative errno for what is no query and
 * gets no answer, or the code to answer with; for all but DNS_GOOD only id, flags and section count.
 */
int dns_parse(struct slice message, struct dns_question *ret);

/* Appends an answer's head and question; n_records records must follow. */
int dns_begin(struct buf *into, const struct dns_question *question, enum dns_code code, unsigned n_records);

/* Appends a record about the name that was asked for. */
int dns_add(struct buf *into, enum dns_type type, struct slice value);

/* Appends a record of type PTR; name is a plain one. */
int dns_add_name(struct buf *into, const char *name);
