#include "proxy/denial.h"

#include "proxy/http1-write.h"
#include "proxy/http2-head.h"

enum { STATUS_FORBIDDEN = 403, STATUS_BAD_GATEWAY = 502 };

static void answer_stream(struct tunnel *tunnel, unsigned status, struct slice text, bool has_no_body)
{
	auto_buf struct buf head = {0};
	int r = http2_write_answer(&head, status, text.len);

	if (r < 0 || tunnel_respond(tunnel, buf_slice(&head), !has_no_body) < 0)
		tunnel_close(tunnel);
	else
		tunnel_leave(tunnel, has_no_body ? slice_of("", 0) : text);
}

static void answer(struct tunnel *tunnel, unsigned status, struct slice text, bool has_no_body)
{
	auto_buf struct buf out = {0};
	int r = http1_write_answer(&out, status, text, has_no_body);

	tunnel->record.status = status;
	if (tunnel->is_stream)
		answer_stream(tunnel, status, text, has_no_body);
	else if (r < 0)
		tunnel_close(tunnel);
	else
		tunnel_leave(tunnel, buf_slice(&out));
}

/* ---- what it says ---- */

static int append_target(struct buf *into, const struct record *record)
{
	bool is_v6 = strchr(record->host, ':') != NULL;

	return buf_printf(into, "%s%s%s:%u", is_v6 ? "[" : "", record->host, is_v6 ? "]" : "", record->port);
}

/* A rule that denies is not undone by one that allows, and what was malformed by neither. */
int denial_text(struct buf *into, const struct record *record, const char *sandbox)
{
	int r = buf_printf(into, "Blocked by sbx policy: ");

	r = r < 0 ? r : append_target(into, record);
	/* Where names lead is not for the guest to know. */
	if (r == 0 && record->is_for_address)
		return buf_printf(into, "\n%s; outside, this shows which: sbx policy log %s --denied\n",
				  record->reason, sandbox);
	if (r == 0 && record->reason)
		return buf_printf(into, "\n%s\n", record->reason);
	if (r == 0 && record->rule)
		return buf_printf(into, "\nthe rule that decided: %s\n", record->rule);
	r = r < 0 ? r : buf_printf(into, "\nno rule allows it; this would: sbx policy allow network ");
	r = r < 0 ? r : append_target(into, record);
	return r < 0 ? r : buf_printf(into, " --sandbox %s\n", sandbox);
}

void http_deny(struct tunnel *tunnel, bool has_no_body)
{
	auto_buf struct buf text = {0};

	if (denial_text(&text, &tunnel->record, tunnel->proxy->sandbox) < 0)
		tunnel_close(tunnel);
	else
		answer(tunnel, STATUS_FORBIDDEN, buf_slice(&text), has_no_body);
}

/* Nobody inside can do anything about it. */
static int append_remedy(struct buf *into, const struct tunnel *tunnel)
{
	const struct proxy *proxy = tunnel->proxy;

	if (!proxy->has_lost_secrets || !inject_is_bound(&proxy->inject, &tunnel->name, tunnel->port))
		return 0;
	return buf_printf(into,
			  "the sandbox's vault has ended, and its secrets with it: on the host, 'sbx run "
			  "--name %s' or any 'sbx exec %s' gives them anew\n",
			  proxy->sandbox, proxy->sandbox);
}

void http_fail(struct tunnel *tunnel, unsigned status, const char *why, bool has_no_body)
{
	auto_buf struct buf text = {0};

	tunnel->record.reason = why;
	if (buf_printf(&text, "sbx could not pass this on: %s\n", why) < 0 ||
	    (status == STATUS_BAD_GATEWAY && append_remedy(&text, tunnel) < 0))
		tunnel_close(tunnel);
	else
		answer(tunnel, status, buf_slice(&text), has_no_body);
}
