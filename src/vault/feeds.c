#include "vault/feeds.h"

#include "base/fd.h"
#include "base/log.h"
#include "wire/chan.h"

#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>

int feeds_init(struct feeds *feeds, int channel)
{
	*feeds = (struct feeds){.secrets = secrets_new(), .channel = channel};
	for (size_t i = 0; i < FEEDS_MAX; i++)
		feeds->items[i].pipe = -1;
	return feeds->secrets ? 0 : -ENOMEM;
}

void feeds_done(struct feeds *feeds)
{
	for (size_t i = 0; i < FEEDS_MAX; i++)
		feed_close(&feeds->items[i]);
	secrets_free(feeds->secrets);
	feeds->secrets = NULL;
}

int feeds_add(struct feeds *feeds, int *pipe, uint32_t id)
{
	for (size_t i = 0; i < FEEDS_MAX; i++) {
		if (feeds->items[i].pipe >= 0)
			continue;
		feed_open(&feeds->items[i], steal_fd(pipe), ++feeds->last, id);
		return 0;
	}
	return -EBUSY;
}

void feeds_watch(const struct feeds *feeds, struct pollfd ret[FEEDS_MAX])
{
	for (size_t i = 0; i < FEEDS_MAX; i++)
		ret[i] = (struct pollfd){.fd = feeds->items[i].pipe, .events = POLLIN};
}

static int tell(const struct feeds *feeds)
{
	auto_buf struct buf text = {0};
	autofd int file = memfd_create("sbx-bindings", MFD_CLOEXEC);
	int r = file < 0 ? -errno : secrets_describe(feeds->secrets, &text);

	r = r < 0 ? r : fd_write_all(file, buf_slice(&text));
	return r < 0 ? r : chan_send(feeds->channel, CHAN_VAULT_SECRETS, 0, 0, slice_text(""), file);
}

static int answer(const struct feeds *feeds, struct feed *feed, int code, const char *why)
{
	uint32_t id = feed->id;

	feed->id = 0;
	if (id == 0) {
		if (code < 0 && code != -EPIPE)
			log_line("what the store says later is not taken: %s", why);
		return 0;
	}
	return chan_send(feeds->channel, CHAN_VAULT_DONE, id, (uint32_t)-code, slice_text(why), -1);
}

/* 0, or negative where the supervisor is gone. *ret_is_good: the feed may go on. */
static int take_text(struct feeds *feeds, struct feed *feed, struct slice text, bool *ret_is_good)
{
	struct err err = {.text = ""};
	int taken = secrets_update(feeds->secrets, feed->number, text, &err);
	int r = tell(feeds);

	feed_drop(feed, text);
	*ret_is_good = taken == 0 && r == 0;
	return r < 0 ? r : answer(feeds, feed, taken, err.text);
}

static int take(struct feeds *feeds, struct feed *feed)
{
	struct slice text;
	bool is_good = true;
	int r = feed_read(feed, &text), told = 0;

	if (r < 0) {
		told = answer(feeds, feed, r, "the secrets did not come to their end");
		feed_close(feed);
		return told;
	}
	for (bool has = r > 0; has && is_good && told == 0; has = is_good && feed_take(feed, &text))
		told = take_text(feeds, feed, text, &is_good);
	if (!is_good)
		feed_close(feed);
	return told;
}

/* Nobody needs to go on reading a store for what another one has brought since. */
static void close_unheard(struct feeds *feeds)
{
	for (size_t i = 0; i < FEEDS_MAX; i++) {
		struct feed *feed = &feeds->items[i];

		if (feed->pipe >= 0 && feed->id == 0 && !secrets_hears(feeds->secrets, feed->number))
			feed_close(feed);
	}
}

int feeds_turn(struct feeds *feeds, const struct pollfd events[FEEDS_MAX])
{
	bool has_changed = false;
	int r = 0;

	for (size_t i = 0; r == 0 && i < FEEDS_MAX; i++) {
		if (!events[i].revents || events[i].fd != feeds->items[i].pipe || events[i].fd < 0)
			continue;
		has_changed = true;
		r = take(feeds, &feeds->items[i]);
	}
	if (has_changed)
		close_unheard(feeds);
	return r;
}
