#include "wire/chan.h"

#include "base/fd.h"

#include <errno.h>

enum { HEAD_BYTES = offsetof(struct chan_message, body) };

int chan_send(int chan, enum chan_kind kind, uint32_t id, uint32_t code, struct slice body, int fd)
{
	struct chan_message message = {.kind = kind, .id = id, .code = code};
	ssize_t sent;

	if (body.len >= CHAN_BODY_MAX_BYTES)
		return -EMSGSIZE;
	message.body_len = (uint32_t)body.len;
	if (body.len > 0)
		memcpy(message.body, body.ptr, body.len);
	sent = fd_send(chan, slice_of(&message, HEAD_BYTES + body.len), &fd, fd >= 0 ? 1 : 0);
	return sent < 0 ? (int)sent : 0;
}

static bool is_sound(const struct chan_message *message, size_t len)
{
	return len >= HEAD_BYTES && message->kind >= CHAN_STREAM && message->kind < CHAN_KINDS &&
	       message->body_len < CHAN_BODY_MAX_BYTES && len == HEAD_BYTES + message->body_len;
}

int chan_receive(int chan, struct chan_message *ret, int *ret_fd)
{
	size_t count = 0;
	ssize_t len;
	int fd = -1;

	len = fd_receive(chan, ret, sizeof(*ret), &fd, 1, &count);
	if (len == -EMSGSIZE)
		return -EBADMSG;
	if (len <= 0)
		return (int)len;
	if (!is_sound(ret, (size_t)len)) {
		if (fd >= 0)
			close(fd);
		return -EBADMSG;
	}
	ret->body[ret->body_len] = '\0';
	*ret_fd = fd;
	return 1;
}
