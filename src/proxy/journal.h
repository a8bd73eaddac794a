/* What the proxy tells of a connection or a request: a line of JSON for the supervisor, which keeps them. */
#pragma once

#include "base/slice.h"
#include "policy/policy.h"

#include <stdint.h>

struct journal;

/* Of a connection, or of one request on it. Never a header, a body, or what follows a '?'. */
struct record {
	const char *via;      /* "transparent", "proxy" */
	const char *protocol; /* "tls", "http", "tcp"; NULL while it is not known */
	char host[HOST_TEXT_BYTES];
	uint16_t port;
	char address[INET6_ADDRSTRLEN];
	char *method, *path, *rule; /* owned; NULL where there is none */
	char *credential;           /* owned: the service whose credential was put in */
	const char *note;           /* a sentence that lives for ever: what was done with the request */
	const char *reason;         /* a sentence that lives for ever, for what no rule decided */
	bool is_denied, has_ech;
	bool is_for_address;          /* that is why it is denied */
	unsigned status;              /* of the answer */
	uint64_t bytes_in, bytes_out; /* from the guest, to the guest */
	int64_t started_ms;
};

void record_done(struct record *record);

/* Copies; what there is no memory for is left out. */
void record_set(char **field, struct slice text);

/* Borrows chan, which must be non-blocking. Gives *ret; free with journal_free(). */
int journal_new(int chan, struct journal **ret);
void journal_free(struct journal *journal);

/* Lines wait for journal_flush(), so that those of one turn go together; where too many do, they are counted
 * and the next one says so. */
void journal_write(struct journal *journal, const struct record *record, int64_t now_ms);

/* Whether lines wait; then journal_flush() when the channel can be written. */
bool journal_waits(const struct journal *journal);
int journal_flush(struct journal *journal);
