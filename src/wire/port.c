#include "wire/port.h"

#include <errno.h>

enum {
	HELLO_BYTES = 2 + PORT_NONCE_BYTES,
	ANSWER_BYTES = PORT_NONCE_BYTES + 1,
};

int port_append_hello(struct buf *into, const uint8_t nonce[PORT_NONCE_BYTES])
{
	char *space = buf_space(into, PORT_PADDING_BYTES + HELLO_BYTES);

	if (!space)
		return -ENOMEM;
	memset(space, PORT_PADDING, PORT_PADDING_BYTES);
	space += PORT_PADDING_BYTES;
	space[0] = PORT_HELLO;
	space[1] = PORT_VERSION;
	memcpy(space + 2, nonce, PORT_NONCE_BYTES);
	buf_grow(into, PORT_PADDING_BYTES + HELLO_BYTES);
	return 0;
}

void port_write_head(char ret[PORT_HEAD_BYTES], size_t len)
{
	ret[0] = PORT_DATA;
	ret[1] = (char)(len >> 8);
	ret[2] = (char)(len & 0xff);
}

int port_append_data(struct buf *into, struct slice data)
{
	while (data.len > 0) {
		size_t len = data.len < PORT_DATA_MAX_BYTES ? data.len : PORT_DATA_MAX_BYTES;
		char *space = buf_space(into, PORT_HEAD_BYTES + len);

		if (!space)
			return -ENOMEM;
		port_write_head(space, len);
		memcpy(space + PORT_HEAD_BYTES, data.ptr, len);
		buf_grow(into, PORT_HEAD_BYTES + len);
		data = slice_skip(data, len);
	}
	return 0;
}

enum parsed port_find_answer(struct slice in, const uint8_t nonce[PORT_NONCE_BYTES], size_t *ret_used,
			     uint8_t *ret_version)
{
	const char *found = memmem(in.ptr, in.len, nonce, PORT_NONCE_BYTES);

	if (found && (size_t)(found - in.ptr) + ANSWER_BYTES <= in.len) {
		*ret_used = (size_t)(found - in.ptr) + ANSWER_BYTES;
		*ret_version = (uint8_t)found[PORT_NONCE_BYTES];
		return PARSED_OK;
	}
	*ret_used = in.len > PORT_NONCE_BYTES ? in.len - PORT_NONCE_BYTES : 0;
	return PARSED_MORE;
}

static enum parsed parse_data(struct slice in, struct port_packet *ret, size_t *ret_len)
{
	const unsigned char *head = (const unsigned char *)in.ptr;
	size_t len;

	if (in.len < PORT_HEAD_BYTES)
		return PARSED_MORE;
	len = (size_t)head[1] << 8 | head[2];
	if (len == 0 || len > PORT_DATA_MAX_BYTES)
		return PARSED_BAD;
	if (in.len < PORT_HEAD_BYTES + len)
		return PARSED_MORE;
	*ret = (struct port_packet){.kind = PORT_DATA, .data = slice_of(in.ptr + PORT_HEAD_BYTES, len)};
	*ret_len = PORT_HEAD_BYTES + len;
	return PARSED_OK;
}

static enum parsed parse_hello(struct slice in, struct port_packet *ret, size_t *ret_len)
{
	if (in.len < HELLO_BYTES)
		return PARSED_MORE;
	*ret = (struct port_packet){.kind = PORT_HELLO, .version = (uint8_t)in.ptr[1]};
	memcpy(ret->nonce, in.ptr + 2, PORT_NONCE_BYTES);
	*ret_len = HELLO_BYTES;
	return PARSED_OK;
}

enum parsed port_parse(struct slice in, struct port_packet *ret, size_t *ret_used)
{
	enum parsed parsed = PARSED_BAD;
	size_t skipped = 0, len = 0;

	while (skipped < in.len && in.ptr[skipped] == PORT_PADDING)
		skipped++;
	*ret_used = skipped;
	if (skipped == in.len)
		return PARSED_MORE;
	if (in.ptr[skipped] == PORT_DATA)
		parsed = parse_data(slice_skip(in, skipped), ret, &len);
	else if (in.ptr[skipped] == PORT_HELLO)
		parsed = parse_hello(slice_skip(in, skipped), ret, &len);
	if (parsed == PARSED_BAD)
		len = 1;
	*ret_used += len;
	return parsed;
}

int port_append_answer(struct buf *into, const uint8_t nonce[PORT_NONCE_BYTES])
{
	char version = PORT_VERSION;
	int r = buf_append(into, slice_of(nonce, PORT_NONCE_BYTES));

	return r < 0 ? r : buf_append(into, slice_of(&version, 1));
}
