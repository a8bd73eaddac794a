/*
 * How it works
 *   A ClientHello (RFC 8446, 4.1.2) may be spread over several records, so its bytes are taken one field at a
 * time by a cursor that steps over the records' headers. What is not there yet is PARSED_MORE wherever it is
 * missed.
 */
#include "proxy/peek.h"

#include <stdint.h>

enum {
	RECORD_HEAD_BYTES = 5,
	RECORD_MAX_BYTES = 16384,
	RECORD_HANDSHAKE = 22,
	HELLO_MAX_BYTES = 32768,
	HELLO_CLIENT = 1,
	RANDOM_BYTES = 32,
	SESSION_ID_MAX_BYTES = 32,
	EXTENSION_SERVER_NAME = 0,
	EXTENSION_ECH = 0xfe0d,
	NAME_IS_HOST = 0,
	METHOD_MAX_BYTES = 24,
};

struct cursor {
	struct slice in;
	size_t record_left; /* of the record that it is in */
	enum parsed state;  /* PARSED_OK until something is missing or wrong */
};

static void enter_record(struct cursor *cursor)
{
	const unsigned char *head = (const unsigned char *)cursor->in.ptr;
	size_t len;

	if (cursor->in.len < RECORD_HEAD_BYTES) {
		cursor->state = PARSED_MORE;
		return;
	}
	len = (size_t)head[3] << 8 | head[4];
	if (head[0] != RECORD_HANDSHAKE || head[1] != 3 || len == 0 || len > RECORD_MAX_BYTES) {
		cursor->state = PARSED_BAD;
		return;
	}
	cursor->record_left = len;
	cursor->in = slice_skip(cursor->in, RECORD_HEAD_BYTES);
}

static uint8_t take_byte(struct cursor *cursor)
{
	uint8_t byte;

	if (cursor->state == PARSED_OK && cursor->record_left == 0)
		enter_record(cursor);
	if (cursor->state == PARSED_OK && cursor->in.len == 0)
		cursor->state = PARSED_MORE;
	if (cursor->state != PARSED_OK)
		return 0;
	byte = (uint8_t)cursor->in.ptr[0];
	cursor->in = slice_skip(cursor->in, 1);
	cursor->record_left--;
	return byte;
}

/* A number of that many bytes that is taken out of a structure with *left bytes. */
static size_t take_number(struct cursor *cursor, unsigned bytes, size_t *left)
{
	size_t value = 0;

	if (bytes > *left && cursor->state == PARSED_OK)
		cursor->state = PARSED_BAD;
	for (unsigned i = 0; i < bytes && cursor->state == PARSED_OK; i++)
		value = value << 8 | take_byte(cursor);
	*left -= cursor->state == PARSED_OK ? bytes : 0;
	return cursor->state == PARSED_OK ? value : 0;
}

static void pass_over(struct cursor *cursor, size_t count, size_t *left)
{
	if (count > *left && cursor->state == PARSED_OK)
		cursor->state = PARSED_BAD;
	for (size_t i = 0; i < count && cursor->state == PARSED_OK; i++)
		(void)take_byte(cursor);
	*left -= cursor->state == PARSED_OK ? count : 0;
}

static void check(struct cursor *cursor, bool is_sound)
{
	if (cursor->state == PARSED_OK && !is_sound)
		cursor->state = PARSED_BAD;
}

/* The list has one entry, a host name (RFC 6066, 3). */
static void take_name(struct cursor *cursor, size_t len, struct peek *ret)
{
	size_t left = len, list = take_number(cursor, 2, &left), kind = take_number(cursor, 1, &left);
	size_t name_len = take_number(cursor, 2, &left);

	check(cursor, list == len - 2 && kind == NAME_IS_HOST && name_len == left && name_len > 0 &&
			      name_len < PEEK_NAME_BYTES && ret->name[0] == '\0');
	for (size_t i = 0; i < name_len && cursor->state == PARSED_OK; i++) {
		ret->name[i] = (char)take_byte(cursor);
		check(cursor, ret->name[i] != '\0');
	}
}

static void take_extensions(struct cursor *cursor, size_t *left, struct peek *ret)
{
	while (*left > 0 && cursor->state == PARSED_OK) {
		size_t type = take_number(cursor, 2, left);
		size_t len = take_number(cursor, 2, left);

		check(cursor, len <= *left);
		if (cursor->state != PARSED_OK)
			return;
		if (type == EXTENSION_ECH)
			ret->has_ech = true;
		if (type == EXTENSION_SERVER_NAME) {
			take_name(cursor, len, ret);
			*left -= len;
		} else {
			pass_over(cursor, len, left);
		}
	}
}

static enum parsed parse_hello(struct slice in, struct peek *ret)
{
	struct cursor cursor = {.in = in, .state = PARSED_OK};
	size_t left = 4, count;

	check(&cursor, take_number(&cursor, 1, &left) == HELLO_CLIENT);
	left = take_number(&cursor, 3, &left);
	check(&cursor, left <= HELLO_MAX_BYTES);
	check(&cursor, take_number(&cursor, 2, &left) >= 0x0300);
	pass_over(&cursor, RANDOM_BYTES, &left);
	count = take_number(&cursor, 1, &left);
	check(&cursor, count <= SESSION_ID_MAX_BYTES);
	pass_over(&cursor, count, &left);
	count = take_number(&cursor, 2, &left);
	check(&cursor, count >= 2 && count % 2 == 0);
	pass_over(&cursor, count, &left);
	count = take_number(&cursor, 1, &left);
	check(&cursor, count >= 1);
	pass_over(&cursor, count, &left);
	if (cursor.state == PARSED_OK && left > 0) {
		count = take_number(&cursor, 2, &left);
		check(&cursor, count == left);
		take_extensions(&cursor, &left, ret);
	}
	/* Nothing may follow before the server has answered. */
	check(&cursor, left == 0 && cursor.record_left == 0);
	return cursor.state;
}

static bool is_method_byte(char byte)
{
	return (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z') || byte == '-' || byte == '_';
}

/* A word of letters and a blank begin a request; whether it is a sound one is for the parser to say. */
static enum parsed look_for_method(struct slice in, struct peek *ret)
{
	size_t len = 0;

	while (len < in.len && len <= METHOD_MAX_BYTES && is_method_byte(in.ptr[len]))
		len++;
	if (len == in.len && len <= METHOD_MAX_BYTES)
		return PARSED_MORE;
	ret->kind = len > 0 && len <= METHOD_MAX_BYTES && in.ptr[len] == ' ' ? PEEK_HTTP : PEEK_OTHER;
	return PARSED_OK;
}

enum parsed peek(struct slice in, struct peek *ret)
{
	*ret = (struct peek){.kind = PEEK_OTHER};
	if (in.len == 0)
		return PARSED_MORE;
	if ((unsigned char)in.ptr[0] != RECORD_HANDSHAKE)
		return look_for_method(in, ret);
	ret->kind = PEEK_TLS;
	if (in.len > PEEK_MAX_BYTES)
		return PARSED_BAD;
	return parse_hello(in, ret);
}
