#include "proxy/journal.h"

#include "base/buf.h"
#include "wire/chan.h"

#include <errno.h>
#include <stdlib.h>

enum {
	WAITING_MAX_BYTES = 4 << 20,
	MESSAGE_MAX_BYTES = CHAN_BODY_MAX_BYTES - 1,
	PATH_MAX_BYTES = 512,
	RULE_MAX_BYTES = 512,
	METHOD_MAX_BYTES = 32,
};

struct journal {
	int chan;
	uint64_t number, lost;
	struct buf waiting; /* lines */
};

void record_done(struct record *record)
{
	free(record->method);
	free(record->path);
	free(record->rule);
	free(record->credential);
	*record = (struct record){0};
}

void record_set(char **field, struct slice text)
{
	free(*field);
	*field = text.ptr ? strndup(text.ptr, text.len) : NULL;
}

static bool is_plain(char byte)
{
	return byte >= 0x20 && byte < 0x7f && byte != '"' && byte != '\\';
}

/* What comes from outside is ASCII by then; anything else becomes '?', so that a line is always valid JSON.
 */
static int append_escaped(struct buf *line, struct slice text)
{
	int r = 0;

	while (r == 0 && text.len > 0) {
		size_t len = 0;

		while (len < text.len && is_plain(text.ptr[len]))
			len++;
		r = buf_append(line, slice_of(text.ptr, len));
		text = slice_skip(text, len);
		if (r < 0 || text.len == 0)
			continue;
		if (text.ptr[0] == '"' || text.ptr[0] == '\\')
			r = buf_printf(line, "\\%c", text.ptr[0]);
		else
			r = buf_append(line, slice_text("?"));
		text = slice_skip(text, 1);
	}
	return r;
}

static int append_text(struct buf *line, const char *key, const char *text, size_t max)
{
	int r = buf_append(line, slice_text(",\""));

	r = r < 0 ? r : buf_append(line, slice_text(key));
	r = r < 0 ? r : buf_append(line, slice_text("\":\""));
	r = r < 0 ? r : append_escaped(line, slice_of(text, strnlen(text, max)));
	return r < 0 ? r : buf_append(line, slice_text("\""));
}

static int append_some(struct buf *line, const char *key, const char *text, size_t max)
{
	return text && text[0] ? append_text(line, key, text, max) : 0;
}

static int append_record(struct buf *line, const struct record *record, int64_t now_ms)
{
	int r = append_text(line, "via", record->via, METHOD_MAX_BYTES);

	r = r < 0 ? r : append_some(line, "protocol", record->protocol, METHOD_MAX_BYTES);
	r = r < 0 ? r : append_text(line, "host", record->host, sizeof(record->host));
	r = r < 0 ? r : buf_printf(line, ",\"port\":%u", record->port);
	r = r < 0 ? r : append_some(line, "address", record->address, sizeof(record->address));
	r = r < 0 ? r : append_some(line, "method", record->method, METHOD_MAX_BYTES);
	r = r < 0 ? r : append_some(line, "path", record->path, PATH_MAX_BYTES);
	r = r < 0 ? r : append_some(line, "rule", record->rule, RULE_MAX_BYTES);
	r = r < 0 ? r : append_text(line, "decision", record->is_denied ? "deny" : "allow", METHOD_MAX_BYTES);
	r = r < 0 ? r : append_some(line, "reason", record->reason, RULE_MAX_BYTES);
	r = r < 0 ? r : append_some(line, "credential", record->credential, METHOD_MAX_BYTES);
	r = r < 0 ? r : append_some(line, "note", record->note, RULE_MAX_BYTES);
	if (r == 0 && record->status > 0)
		r = buf_printf(line, ",\"status\":%u", record->status);
	if (r == 0 && record->has_ech)
		r = buf_printf(line, ",\"ech\":true");
	return r < 0 ? r
		     : buf_printf(line, ",\"bytes_in\":%llu,\"bytes_out\":%llu,\"duration_ms\":%lld}",
				  (unsigned long long)record->bytes_in, (unsigned long long)record->bytes_out,
				  (long long)(now_ms - record->started_ms));
}

int journal_new(int chan, struct journal **ret)
{
	struct journal *journal = calloc(1, sizeof(*journal));

	if (!journal)
		return -ENOMEM;
	journal->chan = chan;
	*ret = journal;
	return 0;
}

void journal_free(struct journal *journal)
{
	if (journal)
		buf_done(&journal->waiting);
	free(journal);
}

bool journal_waits(const struct journal *journal)
{
	return journal->waiting.len > 0;
}

/* As many whole lines as a message holds. */
static struct slice next_lines(const struct journal *journal)
{
	struct slice lines = buf_slice(&journal->waiting);

	if (lines.len > MESSAGE_MAX_BYTES)
		lines.len =
			(size_t)((const char *)memrchr(lines.ptr, '\n', MESSAGE_MAX_BYTES) + 1 - lines.ptr);
	return lines;
}

int journal_flush(struct journal *journal)
{
	while (journal->waiting.len > 0) {
		struct slice lines = next_lines(journal);
		int r = chan_send(journal->chan, CHAN_PROXY_NOTE, 0, 0, lines, -1);

		if (r < 0)
			return r;
		buf_drop(&journal->waiting, lines.len);
	}
	return 0;
}

void journal_write(struct journal *journal, const struct record *record, int64_t now_ms)
{
	auto_buf struct buf line = {0};
	int r = buf_printf(&line, "{\"number\":%llu", (unsigned long long)++journal->number);

	if (r == 0 && journal->lost > 0)
		r = buf_printf(&line, ",\"lost\":%llu", (unsigned long long)journal->lost);
	r = r < 0 ? r : append_record(&line, record, now_ms);
	r = r < 0 ? r : buf_append(&line, slice_text("\n"));
	if (r < 0 || line.len > MESSAGE_MAX_BYTES || journal->waiting.len + line.len > WAITING_MAX_BYTES ||
	    buf_append(&journal->waiting, buf_slice(&line)) < 0) {
		journal->lost++;
		return;
	}
	journal->lost = 0;
}
