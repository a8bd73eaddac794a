#include "vault/feed.h"

#include "base/mem.h"
#include "wire/secret.h"

#include <errno.h>
#include <sodium.h>

enum { ROOM_MIN_BYTES = 32768 };

static const char end_line[] = "end\n";

void feed_open(struct feed *feed, int pipe, unsigned number, uint32_t id)
{
	*feed = (struct feed){.pipe = pipe, .number = number, .id = id};
}

void feed_close(struct feed *feed)
{
	if (feed->pipe >= 0)
		close(feed->pipe);
	sodium_free(feed->text);
	*feed = (struct feed){.pipe = -1};
}

/* What it moves out of is wiped. */
static int make_room(struct feed *feed)
{
	size_t room = feed->room > 0 ? feed->room * 2 : ROOM_MIN_BYTES;
	char *grown;

	if (feed->len < feed->room)
		return 0;
	if (room > SECRET_TEXT_MAX_BYTES)
		return -EFBIG;
	grown = sodium_malloc(room);
	if (!grown)
		return -ENOMEM;
	if (feed->len > 0)
		memcpy(grown, feed->text, feed->len);
	sodium_free(feed->text);
	feed->text = grown;
	feed->room = room;
	return 0;
}

bool feed_take(const struct feed *feed, struct slice *ret_text)
{
	for (size_t at = 0; at + sizeof(end_line) - 1 <= feed->len;) {
		const char *line = feed->text + at, *newline = memchr(line, '\n', feed->len - at);

		if (memcmp(line, end_line, sizeof(end_line) - 1) == 0) {
			*ret_text = slice_of(feed->text, at);
			return true;
		}
		if (!newline)
			return false;
		at = (size_t)(newline - feed->text) + 1;
	}
	return false;
}

int feed_read(struct feed *feed, struct slice *ret_text)
{
	ssize_t count;
	int r = make_room(feed);

	if (r < 0)
		return r;
	count = read(feed->pipe, feed->text + feed->len, feed->room - feed->len);
	if (count < 0)
		return errno == EINTR || errno == EAGAIN ? 0 : -errno;
	if (count == 0)
		return -EPIPE;
	feed->len += (size_t)count;
	return feed_take(feed, ret_text) ? 1 : 0;
}

void feed_drop(struct feed *feed, struct slice text)
{
	size_t gone = text.len + sizeof(end_line) - 1, left = feed->len - gone;

	memmove(feed->text, feed->text + gone, left);
	sodium_memzero(feed->text + left, feed->len - left);
	feed->len = left;
}
