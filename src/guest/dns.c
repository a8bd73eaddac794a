#include "guest/dns.h"

#include <ctype.h>
#include <errno.h>

enum {
	LABEL_MAX_BYTES = 63,
	NAME_MAX_BYTES = 255, /* in a message, with the lengths */
	TAIL_BYTES = 4,       /* a question's type and class */
	TTL_S = 60,
};

enum {
	FLAG_ANSWER = 0x8000,
	FLAG_RECURSION_WANTED = 0x0100,
	FLAG_RECURSION_DONE = 0x0080,
	OPCODE_MASK = 0x7800,
};

static uint16_t get16(const char *at)
{
	return (uint16_t)((unsigned char)at[0] << 8 | (unsigned char)at[1]);
}

static bool is_plain(struct slice label)
{
	for (size_t i = 0; i < label.len; i++) {
		unsigned char c = (unsigned char)label.ptr[i];

		if (!isascii(c) || (!isalnum(c) && c != '-' && c != '_'))
			return false;
	}
	return true;
}

static bool add_label(struct dns_question *question, size_t *len, struct slice label)
{
	if (*len + 1 + label.len >= sizeof(question->name))
		return false;
	if (*len > 0)
		question->name[(*len)++] = '.';
	memcpy(question->name + *len, label.ptr, label.len);
	*len += label.len;
	question->name[*len] = '\0';
	question->is_plain = question->is_plain && is_plain(label);
	return true;
}

/* Nothing is compressed in a question: there is nothing before it to point to. */
static bool parse_name(struct slice in, struct dns_question *ret, size_t *ret_used)
{
	size_t at = 0, len = 0;

	ret->is_plain = true;
	while (at < in.len && at < NAME_MAX_BYTES) {
		size_t label = (unsigned char)in.ptr[at++];

		if (label == 0) {
			*ret_used = at;
			return true;
		}
		if (label > LABEL_MAX_BYTES || label > in.len - at ||
		    !add_label(ret, &len, slice_of(in.ptr + at, label)))
			return false;
		at += label;
	}
	return false;
}

int dns_parse(struct slice message, struct dns_question *ret)
{
	struct slice body;
	size_t used;

	if (message.len < DNS_HEAD_BYTES || (get16(message.ptr + 2) & FLAG_ANSWER))
		return -EBADMSG;
	*ret = (struct dns_question){.id = get16(message.ptr), .flags = get16(message.ptr + 2)};
	if (ret->flags & OPCODE_MASK)
		return DNS_NOT_KNOWN;
	body = slice_skip(message, DNS_HEAD_BYTES);
	if (get16(message.ptr + 4) != 1 || !parse_name(body, ret, &used) || body.len - used < TAIL_BYTES)
		return DNS_MALFORMED;
	ret->type = get16(body.ptr + used);
	ret->class = get16(body.ptr + used + 2);
	ret->section = slice_of(body.ptr, used + TAIL_BYTES);
	return DNS_GOOD;
}

static int add16(struct buf *into, unsigned value)
{
	const char bytes[2] = {(char)(value >> 8), (char)value};

	return buf_append(into, slice_of(bytes, sizeof(bytes)));
}

int dns_begin(struct buf *into, const struct dns_question *question, enum dns_code code, unsigned n_records)
{
	unsigned kept = question->flags & (OPCODE_MASK | FLAG_RECURSION_WANTED);
	const unsigned head[] = {question->id,
				 FLAG_ANSWER | FLAG_RECURSION_DONE | kept | code,
				 question->section.len > 0,
				 n_records,
				 0,
				 0};
	int r = 0;

	for (size_t i = 0; r == 0 && i < array_len(head); i++)
		r = add16(into, head[i]);
	return r < 0 ? r : buf_append(into, question->section);
}

int dns_add(struct buf *into, enum dns_type type, struct slice value)
{
	/* The name: a pointer to the question's. */
	const unsigned head[] = {0xc000 | DNS_HEAD_BYTES, type, 1, 0, TTL_S, (unsigned)value.len};
	int r = 0;

	for (size_t i = 0; r == 0 && i < array_len(head); i++)
		r = add16(into, head[i]);
	return r < 0 ? r : buf_append(into, value);
}

int dns_add_name(struct buf *into, const char *name)
{
	char wire[NAME_MAX_BYTES];
	size_t len = 0;

	while (*name) {
		size_t label = strcspn(name, ".");

		if (label == 0 || label > LABEL_MAX_BYTES || len + label + 2 > sizeof(wire))
			return -EINVAL;
		wire[len++] = (char)label;
		memcpy(wire + len, name, label);
		len += label;
		name += label + (name[label] == '.');
	}
	wire[len++] = '\0';
	return dns_add(into, DNS_PTR, slice_of(wire, len));
}
