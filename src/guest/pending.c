#include "guest/pending.h"

#include <errno.h>

enum { BUCKETS = 256 };

struct pending {
	struct pending_request *first, *last;
	struct pending_request *buckets[BUCKETS];
};

int pending_new(struct pending **ret)
{
	*ret = calloc(1, sizeof(**ret));
	return *ret ? 0 : -ENOMEM;
}

void pending_free(struct pending *pending)
{
	while (pending && pending->first)
		pending_remove(pending, pending->first);
	free(pending);
}

/* The kernel counts its requests in twos. */
static struct pending_request **bucket_of(struct pending *pending, uint64_t unique)
{
	return &pending->buckets[unique / 2 % BUCKETS];
}

int pending_add(struct pending *pending, uint64_t unique, uint32_t opcode, struct slice message,
		struct pending_request **ret)
{
	struct pending_request **bucket = bucket_of(pending, unique);
	struct pending_request *request = malloc(sizeof(*request) + message.len);

	if (!request)
		return -ENOMEM;
	*request = (struct pending_request){.next_of_bucket = *bucket,
					    .previous = pending->last,
					    .unique = unique,
					    .opcode = opcode,
					    .len = message.len};
	memcpy(request->message, message.ptr, message.len);
	*bucket = request;
	if (pending->last)
		pending->last->next = request;
	else
		pending->first = request;
	pending->last = request;
	*ret = request;
	return 0;
}

static void unlink_request(struct pending *pending, struct pending_request *request)
{
	if (request->previous)
		request->previous->next = request->next;
	else
		pending->first = request->next;
	if (request->next)
		request->next->previous = request->previous;
	else
		pending->last = request->previous;
}

struct pending_request *pending_find(struct pending *pending, uint64_t unique)
{
	struct pending_request *request = *bucket_of(pending, unique);

	while (request && request->unique != unique)
		request = request->next_of_bucket;
	return request;
}

void pending_remove(struct pending *pending, struct pending_request *request)
{
	struct pending_request **at = bucket_of(pending, request->unique);

	while (*at != request)
		at = &(*at)->next_of_bucket;
	*at = request->next_of_bucket;
	unlink_request(pending, request);
	free(request);
}

struct pending_request *pending_first(const struct pending *pending)
{
	return pending->first;
}
