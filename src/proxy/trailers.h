/*
 * Fields behind a body (RFC 9110, 6.5), whichever HTTP brings them and takes them on: a line "name: value\n"
 * for each, as in wire/h2.h, with names in lower case. Pure.
 */
#pragma once

#include "base/buf.h"
#include "proxy/http1.h"

/* Appends the field. What frames, routes or authenticates has no place behind a body (6.5.1) and is passed
 * over. */
int trailers_add(struct buf *trailers, const struct http1_field *field);

/* The end of a chunked body, with them. */
int trailers_write_http1(struct buf *into, struct slice trailers);
