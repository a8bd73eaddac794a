/*
 * One FUSE request as the guest's kernel, or somebody in its place, has put it on the port: a header with its
 * length, a fixed struct, names (linux/fuse.h, version 7). Hostile: what is taken is checked against what is
 * there.
 */
#pragma once

#include "base/slice.h"

#include <linux/fuse.h>
#include <stdint.h>

enum {
	REQUEST_DATA_MAX_BYTES = 1 << 20, /* of one READ or WRITE */
	REQUEST_MAX_BYTES = REQUEST_DATA_MAX_BYTES + 4096,
	REQUEST_NAME_BYTES = 256, /* with its NUL */
	REQUEST_PATH_BYTES = 4096,
};

struct request {
	struct fuse_in_header head;
	struct slice body; /* what has not been taken yet */
};

/* Finds where the first message ends. PARSED_BAD: no message can begin so. */
enum parsed request_frame(struct slice in, size_t *ret_len);

/* A whole message, as request_frame() has found it. */
void request_open(struct slice message, struct request *ret);

/* Takes size bytes; -EINVAL when there are not as many. */
int request_take(struct request *request, void *into, size_t size);

/* Takes text that ends with a NUL, of less than room bytes; -EINVAL, -ENAMETOOLONG. */
int request_take_text(struct request *request, char *into, size_t room);

/* The same for the name of an entry: not empty, no slash, not . and not .. */
int request_take_name(struct request *request, char into[REQUEST_NAME_BYTES]);
