#include "proxy/vault.h"

#include "base/fd.h"

#include <errno.h>
#include <stdlib.h>

enum {
	UNDER_WAY_MAX = 16, /* less than what a channel holds */
	CONTENT_MAX_BYTES = 65536,
};

struct vault_end {
	uv_poll_t poll;
	struct vault *vault;
	int channel;
};

struct vault_ask {
	struct vault *vault;
	struct vault_ask *next;
	enum chan_kind kind;
	uint32_t id;
	bool is_under_way;
	vault_done done; /* NULL: nobody wants to know any more */
	void *owner;
	struct buf body;
};

struct vault {
	uv_loop_t *loop;
	struct vault_end *end;  /* NULL while there is none */
	struct vault_ask *asks; /* in their order */
	unsigned n_under_way;
	uint32_t last_id;
};

static void free_ask(struct vault_ask *ask)
{
	buf_done(&ask->body);
	free(ask);
}

static void on_closed(uv_handle_t *handle)
{
	struct vault_end *end = handle->data;

	close(end->channel);
	free(end);
}

static void let_go(struct vault *vault)
{
	if (vault->end)
		uv_close((uv_handle_t *)&vault->end->poll, on_closed);
	vault->end = NULL;
	vault->n_under_way = 0;
	for (struct vault_ask *ask = vault->asks; ask; ask = ask->next)
		ask->is_under_way = false;
}

static void send_more(struct vault *vault)
{
	for (struct vault_ask *ask = vault->asks; ask && vault->end && vault->n_under_way < UNDER_WAY_MAX;
	     ask = ask->next) {
		if (ask->is_under_way)
			continue;
		if (chan_send(vault->end->channel, ask->kind, ask->id, 0, buf_slice(&ask->body), -1) < 0)
			return;
		ask->is_under_way = true;
		vault->n_under_way++;
	}
}

/* ---- answers ---- */

static struct vault_ask *take_out(struct vault *vault, uint32_t id)
{
	for (struct vault_ask **link = &vault->asks; *link; link = &(*link)->next) {
		struct vault_ask *ask = *link;

		if (ask->id != id || !ask->is_under_way)
			continue;
		*link = ask->next;
		vault->n_under_way--;
		return ask;
	}
	return NULL;
}

static int read_content(int file, struct buf *into)
{
	/* At once: one that grows would leave copies behind. */
	if (!buf_space(into, CONTENT_MAX_BYTES))
		return -ENOMEM;
	return lseek(file, 0, SEEK_SET) < 0 ? -errno : fd_read_all(file, CONTENT_MAX_BYTES, into);
}

/* The content is the message's, or where that has no room for it, the file's. */
static int take_answer(struct vault *vault, const struct chan_message *message, int file)
{
	struct vault_ask *ask = take_out(vault, message->id);
	struct buf content = {0};
	int r = message->code <= INT16_MAX ? -(int)message->code : -EPROTO;

	if (!ask)
		return -EBADMSG;
	if (r == 0 && file >= 0)
		r = read_content(file, &content);
	if (ask->done)
		ask->done(ask->owner, r,
			  file >= 0 ? buf_slice(&content) : slice_of(message->body, message->body_len));
	if (content.data)
		explicit_bzero(content.data, content.room);
	buf_done(&content);
	free_ask(ask);
	return 0;
}

static bool is_answer(uint32_t kind)
{
	return kind == CHAN_VAULT_LEAF || kind == CHAN_VAULT_HEADER;
}

static void on_channel(uv_poll_t *poll, int status, int events)
{
	struct vault_end *end = poll->data;
	struct vault *vault = end->vault;
	struct chan_message message;
	autofd int file = -1;
	int r = status < 0 ? status : chan_receive(end->channel, &message, &file);

	(void)events;
	if (r == -EAGAIN)
		return;
	if (r <= 0 || !is_answer(message.kind) || take_answer(vault, &message, file) < 0)
		let_go(vault);
	explicit_bzero(&message, sizeof(message));
	send_more(vault);
}

int vault_new(uv_loop_t *loop, struct vault **ret)
{
	struct vault *vault = calloc(1, sizeof(*vault));

	if (!vault)
		return -ENOMEM;
	vault->loop = loop;
	*ret = vault;
	return 0;
}

int vault_connect(struct vault *vault, int channel)
{
	struct vault_end *end = calloc(1, sizeof(*end));
	int r = end ? fd_set_nonblock(channel) : -ENOMEM;

	let_go(vault);
	r = r < 0 ? r : uv_poll_init(vault->loop, &end->poll, channel);
	if (r < 0) {
		close(channel);
		free(end);
		return r;
	}
	end->poll.data = end;
	end->vault = vault;
	end->channel = channel;
	vault->end = end;
	r = uv_poll_start(&end->poll, UV_READABLE, on_channel);
	send_more(vault);
	return r;
}

int vault_ask(struct vault *vault, enum chan_kind kind, struct slice body, vault_done done, void *owner,
	      struct vault_ask **ret)
{
	struct vault_ask *ask = calloc(1, sizeof(*ask)), **last = &vault->asks;
	int r = ask ? buf_append(&ask->body, body) : -ENOMEM;

	if (r < 0) {
		free(ask);
		return r;
	}
	ask->vault = vault;
	ask->kind = kind;
	ask->id = ++vault->last_id;
	ask->done = done;
	ask->owner = owner;
	while (*last)
		last = &(*last)->next;
	*last = ask;
	*ret = ask;
	send_more(vault);
	return 0;
}

/* One that is under way has an answer, which is to be told from others. */
void vault_cancel(struct vault_ask *ask)
{
	struct vault_ask **link;

	if (!ask)
		return;
	ask->done = NULL;
	if (ask->is_under_way)
		return;
	for (link = &ask->vault->asks; *link != ask; link = &(*link)->next)
		;
	*link = ask->next;
	free_ask(ask);
}
