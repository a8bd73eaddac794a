#include "share/outgoing.h"

#include <errno.h>
#include <sys/uio.h>

/* Small answers share a chunk. Of one chunk, as much is written at once as the vectors hold. */
enum { SMALL_MAX_BYTES = 32 << 10, SHARED_MAX_BYTES = 256 << 10, PACKETS_MAX = 512 };

struct chunk {
	struct buf bytes;
	struct chunk *next;
};

static void drop_first(struct outgoing *outgoing)
{
	struct chunk *chunk = outgoing->first;

	outgoing->first = chunk->next;
	if (!chunk->next)
		outgoing->last = NULL;
	buf_done(&chunk->bytes);
	free(chunk);
}

void outgoing_done(struct outgoing *outgoing)
{
	while (outgoing->first)
		drop_first(outgoing);
	buf_done(&outgoing->raw);
	*outgoing = (struct outgoing){.len = 0};
}

static struct chunk *add_chunk(struct outgoing *outgoing)
{
	struct chunk *chunk = calloc(1, sizeof(*chunk));

	if (!chunk)
		return NULL;
	*(outgoing->last ? &outgoing->last->next : &outgoing->first) = chunk;
	outgoing->last = chunk;
	return chunk;
}

int outgoing_add(struct outgoing *outgoing, struct buf *bytes)
{
	struct chunk *chunk = outgoing->last;
	bool is_small = bytes->len <= SMALL_MAX_BYTES;
	size_t len = bytes->len;

	if (len == 0)
		return 0;
	if (!is_small || !chunk || chunk->bytes.len + len > SHARED_MAX_BYTES)
		chunk = add_chunk(outgoing);
	if (!chunk)
		return -ENOMEM;
	if (!is_small) {
		chunk->bytes = *bytes;
		buf_init(bytes);
	} else if (buf_append(&chunk->bytes, buf_slice(bytes)) < 0) {
		return -ENOMEM;
	}
	buf_clear(bytes);
	outgoing->len += len;
	return 0;
}

struct cutting {
	char heads[PACKETS_MAX][PORT_HEAD_BYTES];
	struct iovec parts[PACKETS_MAX * 2];
	int n_parts;
	size_t n_packets;
};

static void add_part(struct cutting *cutting, const void *bytes, size_t len)
{
	if (len > 0)
		cutting->parts[cutting->n_parts++] =
			(struct iovec){.iov_base = (void *)(uintptr_t)bytes, .iov_len = len};
}

/* The rest of the packet that was begun, and then whole ones. */
static void cut(const struct outgoing *outgoing, struct cutting *cutting)
{
	struct slice left = buf_slice(&outgoing->first->bytes);

	cutting->n_parts = 0;
	cutting->n_packets = 0;
	add_part(cutting, outgoing->head + PORT_HEAD_BYTES - outgoing->head_left, outgoing->head_left);
	add_part(cutting, left.ptr, outgoing->body_left);
	left = slice_skip(left, outgoing->body_left);
	while (left.len > 0 && cutting->n_packets < PACKETS_MAX - 1) {
		size_t len = left.len < PORT_DATA_MAX_BYTES ? left.len : PORT_DATA_MAX_BYTES;

		port_write_head(cutting->heads[cutting->n_packets], len);
		add_part(cutting, cutting->heads[cutting->n_packets++], PORT_HEAD_BYTES);
		add_part(cutting, left.ptr, len);
		left = slice_skip(left, len);
	}
}

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* What was written is dropped; where it ends inside a packet, the rest of that has to follow as it is. */
static void take_written(struct outgoing *outgoing, size_t count)
{
	struct buf *bytes = &outgoing->first->bytes;

	while (count > 0) {
		size_t head, body;

		if (outgoing->head_left + outgoing->body_left == 0) {
			outgoing->head_left = PORT_HEAD_BYTES;
			outgoing->body_left = least(bytes->len, PORT_DATA_MAX_BYTES);
			port_write_head(outgoing->head, outgoing->body_left);
		}
		head = least(count, outgoing->head_left);
		body = least(count - head, outgoing->body_left);
		outgoing->head_left -= head;
		outgoing->body_left -= body;
		outgoing->len -= body;
		buf_drop(bytes, body);
		count -= head + body;
	}
	if (bytes->len == 0)
		drop_first(outgoing);
}

int outgoing_write(struct outgoing *outgoing, int fd)
{
	static struct cutting cutting;
	ssize_t count = 0;

	if (outgoing->raw.len > 0) {
		count = buf_write_fd(&outgoing->raw, fd);
		return count < 0 && count != -EAGAIN ? (int)count : 0;
	}
	if (!outgoing->first)
		return 0;
	cut(outgoing, &cutting);
	do
		count = writev(fd, cutting.parts, cutting.n_parts);
	while (count < 0 && errno == EINTR);
	if (count < 0)
		return errno == EAGAIN ? 0 : -errno;
	take_written(outgoing, (size_t)count);
	return 0;
}
