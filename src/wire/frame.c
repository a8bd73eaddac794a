#include "wire/frame.h"

#include <errno.h>

enum { ANY_LENGTH = -1 };

/* The exact length of a kind's body, or ANY_LENGTH; at_least guards the bodies that begin with fixed fields.
 */
struct kind_rule {
	bool known, for_guest;
	int exact;
	size_t at_least;
};

static const struct kind_rule rules[] = {
	[FRAME_ARG] = {true, true, ANY_LENGTH, 0},
	[FRAME_ENV] = {true, true, ANY_LENGTH, 2},
	[FRAME_USER] = {true, true, ANY_LENGTH, 1},
	[FRAME_DIR] = {true, true, ANY_LENGTH, 1},
	[FRAME_TERMINAL] = {true, true, 4, 0},
	[FRAME_SESSION] = {true, true, ANY_LENGTH, 1},
	[FRAME_START] = {true, true, 0, 0},
	[FRAME_INPUT] = {true, true, ANY_LENGTH, 0},
	[FRAME_INPUT_END] = {true, true, 0, 0},
	[FRAME_RESIZE] = {true, true, 4, 0},
	[FRAME_SIGNAL] = {true, true, 1, 0},
	[FRAME_STARTED] = {true, false, 5, 0},
	[FRAME_FAILED] = {true, false, ANY_LENGTH, 1},
	[FRAME_OUTPUT] = {true, false, ANY_LENGTH, 0},
	[FRAME_ERROR_OUTPUT] = {true, false, ANY_LENGTH, 0},
	[FRAME_EXIT] = {true, false, 1, 0},
};

/* These become C strings in the guest: a NUL in them would end them early. */
static bool is_text(unsigned kind)
{
	return kind == FRAME_ARG || kind == FRAME_ENV || kind == FRAME_USER || kind == FRAME_DIR ||
	       kind == FRAME_SESSION;
}

enum parsed frame_parse(struct slice in, struct frame *ret, size_t *ret_used)
{
	const unsigned char *head = (const unsigned char *)in.ptr;
	const struct kind_rule *rule;
	struct slice body;
	size_t len;

	if (in.len < 1)
		return PARSED_MORE;
	if (head[0] >= array_len(rules) || !rules[head[0]].known)
		return PARSED_BAD;
	if (in.len < FRAME_HEAD_BYTES)
		return PARSED_MORE;
	rule = &rules[head[0]];
	len = (size_t)head[1] << 16 | (size_t)head[2] << 8 | head[3];
	if (len > FRAME_BODY_MAX_BYTES || len < rule->at_least)
		return PARSED_BAD;
	if (rule->exact != ANY_LENGTH && len != (size_t)rule->exact)
		return PARSED_BAD;
	if (in.len - FRAME_HEAD_BYTES < len)
		return PARSED_MORE;
	body = slice_of(in.ptr + FRAME_HEAD_BYTES, len);
	if (is_text(head[0]) && memchr(body.ptr, '\0', body.len))
		return PARSED_BAD;
	*ret = (struct frame){.kind = (enum frame_kind)head[0], .body = body};
	*ret_used = FRAME_HEAD_BYTES + len;
	return PARSED_OK;
}

bool frame_is_for_guest(enum frame_kind kind)
{
	return (size_t)kind < array_len(rules) && rules[kind].for_guest;
}

int frame_append(struct buf *into, enum frame_kind kind, struct slice body)
{
	unsigned char head[FRAME_HEAD_BYTES];
	char *space;

	if (body.len > FRAME_BODY_MAX_BYTES)
		return -E2BIG;
	head[0] = (unsigned char)kind;
	head[1] = (unsigned char)(body.len >> 16);
	head[2] = (unsigned char)(body.len >> 8 & 0xff);
	head[3] = (unsigned char)(body.len & 0xff);
	space = buf_space(into, sizeof(head) + body.len);
	if (!space)
		return -ENOMEM;
	memcpy(space, head, sizeof(head));
	if (body.len > 0)
		memcpy(space + sizeof(head), body.ptr, body.len);
	buf_grow(into, sizeof(head) + body.len);
	return 0;
}

int frame_append_size(struct buf *into, enum frame_kind kind, struct frame_size size)
{
	unsigned char body[4] = {(unsigned char)(size.rows >> 8), (unsigned char)(size.rows & 0xff),
				 (unsigned char)(size.columns >> 8), (unsigned char)(size.columns & 0xff)};

	return frame_append(into, kind, slice_of(body, sizeof(body)));
}

struct frame_size frame_size(struct slice body)
{
	const unsigned char *bytes = (const unsigned char *)body.ptr;

	return (struct frame_size){.rows = (uint16_t)(bytes[0] << 8 | bytes[1]),
				   .columns = (uint16_t)(bytes[2] << 8 | bytes[3])};
}
