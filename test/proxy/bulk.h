/* What the files of bulk share: a TLS connection that waits, and bodies of which each byte is known. */
#pragma once

#include "base/slice.h"

#include <openssl/types.h>
#include <stdint.h>

struct link {
	SSL *ssl;
	bool is_slow;    /* reads with pauses */
	size_t unpaused; /* read since the last one */
};

/* Ends the program. */
_Noreturn void die(const char *what);

/* Waits for bytes. Their count, or 0 at the end. */
size_t link_read(struct link *link, char *into, size_t room);
void link_write(struct link *link, struct slice bytes);

/* Some of the next bytes of a body of which `at` were sent and `left` were not. */
struct slice body_next(uint64_t at, uint64_t left);

/* Takes what has come behind the first *at bytes of a body. Ends the program where it is something else. */
void body_take(uint64_t *at, struct slice bytes);

/* The number behind that many slashes of a path that says how many bytes go up and how many down: "/UP/DOWN".
 */
uint64_t path_number(const char *path, unsigned slashes);

struct task {
	const char *authority;
	uint64_t up, down; /* bytes of a request and of its answer */
	unsigned count;    /* of requests: at once, where the protocol can do that */
};

void http1_ask(struct link *link, const struct task *task);
void http2_ask(struct link *link, const struct task *task);

/* Answers with 200 to whom sends as many bytes as it has said, until the client ends. */
void http1_serve(struct link *link);
void http2_serve(struct link *link);
