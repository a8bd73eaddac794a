/* Requests of the guest's kernel that the server on the host has not answered yet, in their order. */
#pragma once

#include "base/buf.h"

#include <stdint.h>

struct pending;

struct pending_request {
	struct pending_request *next, *previous, *next_of_bucket;
	uint64_t unique;
	uint32_t opcode;
	bool is_sent;
	size_t len;
	char message[];
};

int pending_new(struct pending **ret);
void pending_free(struct pending *pending);

/* Keeps a copy of the message. */
int pending_add(struct pending *pending, uint64_t unique, uint32_t opcode, struct slice message,
		struct pending_request **ret);

/* NULL where there is none of that number. */
struct pending_request *pending_find(struct pending *pending, uint64_t unique);

void pending_remove(struct pending *pending, struct pending_request *request);

/* The oldest one. */
struct pending_request *pending_first(const struct pending *pending);
