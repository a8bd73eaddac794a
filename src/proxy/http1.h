/*
 * HTTP/1 as RFC 9112 has it, and nothing else: what two programs could read differently is refused, not
 * repaired. Pure parsers; all slices point into the input.
 */
#pragma once

#include "base/buf.h"

#include <stdint.h>

enum { HTTP1_HEAD_MAX_BYTES = 32768, HTTP1_FIELDS_MAX = 128 };

struct http1_field {
	struct slice name, value;
};

struct http1_head {
	struct slice method, target; /* of a request */
	unsigned status;             /* of a response */
	struct slice reason;
	unsigned minor; /* HTTP/1.minor */
	size_t n_fields;
	struct http1_field fields[HTTP1_FIELDS_MAX];
};

/* *ret_used is the length of the head with its empty line. Heads over the limits are PARSED_BAD. */
enum parsed http1_parse_request(struct slice in, struct http1_head *ret, size_t *ret_used);
enum parsed http1_parse_response(struct slice in, struct http1_head *ret, size_t *ret_used);

/* How many fields have that name (any case); the first one's value, without blanks around it, if there is
 * one. */
unsigned http1_find(const struct http1_head *head, const char *name, struct slice *ret_value);

/* Whether a list field (Connection, Upgrade) has that token, in any of its lines, in any case. */
bool http1_has_token(const struct http1_head *head, const char *name, const char *token);

/* One field, its line without the end. False: it is none. */
bool http1_parse_field(struct slice line, struct http1_field *ret);

bool slice_is_caseless(struct slice slice, const char *text);

/* Whether two names of fields, in any case, are one for servers that hand fields on as variables: '-' and '_'
 * are. */
bool http1_is_same_field(struct slice name, struct slice other);

/* ---- bodies ---- */

enum http1_body { HTTP1_NO_BODY, HTTP1_LENGTH, HTTP1_CHUNKED, HTTP1_UNTIL_CLOSE };

struct http1_framing {
	enum http1_body body;
	uint64_t length; /* of HTTP1_LENGTH; of HTTP1_NO_BODY what an answer to HEAD says that it would be */
	bool has_length;
};

/* False for what could be read in two ways: two lengths, a length and an encoding, an encoding but chunked.
 */
bool http1_frame_request(const struct http1_head *head, struct http1_framing *ret);
bool http1_frame_response(const struct http1_head *head, bool is_for_head, struct http1_framing *ret);

/* Where in a chunked body the reader is. All zero but the trailers is its beginning. */
struct http1_chunks {
	struct buf *trailers; /* borrowed: gets them (trailers.h); NULL: they go no further */
	uint64_t left;        /* of this chunk's bytes */
	uint16_t trailer_bytes, n_trailers;
	uint8_t state;
};

/*
 * Takes the next piece. PARSED_OK: *ret_data is content, or empty where the piece was framing; *ret_used
 * bytes are done. PARSED_MORE: nothing was taken. Extensions are checked and passed over.
 */
enum parsed http1_chunk(struct http1_chunks *chunks, struct slice in, struct slice *ret_data,
			size_t *ret_used);
bool http1_chunks_done(const struct http1_chunks *chunks);
