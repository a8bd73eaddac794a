#include "store/value.h"

#include "base/clock.h"

#include <errno.h>
#include <poll.h>
#include <sodium.h>
#include <unistd.h>

int value_init(struct value *value, struct err *err)
{
	value->len = 0;
	value->bytes = sodium_init() < 0 ? NULL : sodium_malloc(VALUE_ROOM_BYTES);
	return value->bytes ? 0 : err_errno(err, -ENOMEM, "cannot hold a secret");
}

void value_done(struct value *value)
{
	sodium_free(value->bytes);
	value->bytes = NULL;
}

int value_set(struct value *value, struct slice bytes)
{
	if (bytes.len > VALUE_ROOM_BYTES)
		return -EFBIG;
	if (bytes.len > 0)
		memcpy(value->bytes, bytes.ptr, bytes.len);
	value->len = bytes.len;
	return 0;
}

static int wait_for(int fd, int listener, int64_t deadline_ms)
{
	struct pollfd events[] = {{.fd = fd, .events = POLLIN}, {.fd = listener}};
	int64_t left = deadline_ms < 0 ? -1 : deadline_ms - clock_ms();
	int count;

	if (deadline_ms >= 0 && left <= 0)
		return -ETIME;
	count = poll(events, array_len(events), (int)left);
	if (count == 0)
		return -ETIME;
	if (count > 0 && events[1].revents)
		return -EPIPE;
	return count < 0 && errno != EINTR ? -errno : 0;
}

int value_read(struct value *value, int fd, int limit_ms)
{
	return value_read_for(value, fd, -1, limit_ms);
}

int value_read_for(struct value *value, int fd, int listener, int limit_ms)
{
	int64_t deadline_ms = limit_ms < 0 ? -1 : clock_ms() + limit_ms;

	value->len = 0;
	for (;;) {
		ssize_t count;
		int r = wait_for(fd, listener, deadline_ms);

		if (r < 0)
			return r;
		if (value->len == VALUE_ROOM_BYTES)
			return -EFBIG;
		count = read(fd, value->bytes + value->len, VALUE_ROOM_BYTES - value->len);
		if (count < 0 && errno != EINTR && errno != EAGAIN)
			return -errno;
		if (count == 0)
			return 0;
		value->len += count > 0 ? (size_t)count : 0;
	}
}

int value_check(struct value *value, struct err *err)
{
	if (value->len > 0 && value->bytes[value->len - 1] == '\n')
		value->len--;
	if (value->len > 0 && value->bytes[value->len - 1] == '\r')
		value->len--;
	return secret_check_value(value_slice(value), err);
}
