#include "base/text.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { WORD_MAX_BYTES = 64, MIB_MAX = 1 << 30 };

/* Decodes one UTF-8 sequence (RFC 3629: shortest form, no surrogates, at most U+10FFFF). Returns its length
 * or 0. */
static size_t decode(struct slice text, uint32_t *ret)
{
	static const struct {
		unsigned char mask, lead;
		uint32_t min;
	} forms[] = {{0x80, 0x00, 0}, {0xe0, 0xc0, 0x80}, {0xf0, 0xe0, 0x800}, {0xf8, 0xf0, 0x10000}};
	unsigned char lead = (unsigned char)text.ptr[0];

	for (size_t extra = 0; extra < array_len(forms); extra++) {
		uint32_t rune;

		if ((lead & forms[extra].mask) != forms[extra].lead)
			continue;
		if (text.len <= extra)
			return 0;
		rune = lead & (unsigned char)~forms[extra].mask;
		for (size_t i = 1; i <= extra; i++) {
			unsigned char next = (unsigned char)text.ptr[i];

			if ((next & 0xc0) != 0x80)
				return 0;
			rune = rune << 6 | (next & 0x3f);
		}
		if (rune < forms[extra].min || rune > 0x10ffff || (rune >= 0xd800 && rune <= 0xdfff))
			return 0;
		*ret = rune;
		return extra + 1;
	}
	return 0;
}

static bool is_harmless(uint32_t rune)
{
	if (rune < 0x20 || (rune >= 0x7f && rune < 0xa0))
		return false;
	if (rune == 0x061c || (rune >= 0x200b && rune <= 0x200f) || (rune >= 0x2028 && rune <= 0x202e))
		return false;
	if (rune == 0xfeff || (rune >= 0x2060 && rune <= 0x206f) || (rune >= 0xfff9 && rune <= 0xfffb))
		return false;
	return rune < 0xe0000;
}

int text_printable(struct buf *into, struct slice text, bool keep_newlines)
{
	while (text.len > 0) {
		unsigned char byte = (unsigned char)text.ptr[0];
		uint32_t rune = 0;
		size_t len = decode(text, &rune);
		int r;

		if (len > 0 && (is_harmless(rune) || (keep_newlines && (byte == '\n' || byte == '\t'))))
			r = buf_append(into, slice_of(text.ptr, len));
		else if (len > 1)
			r = buf_printf(into, "\\u{%x}", rune);
		else
			r = buf_printf(into, "\\x%02x", byte);
		if (r < 0)
			return r;
		text = slice_skip(text, len > 0 ? len : 1);
	}
	return 0;
}

bool text_is_utf8(struct slice text)
{
	uint32_t rune;
	size_t len = 1;

	for (; text.len > 0 && len > 0; text = slice_skip(text, len))
		len = decode(text, &rune);
	return len > 0;
}

bool text_is_line(const char *text)
{
	struct slice rest = slice_text(text);
	uint32_t rune;

	while (rest.len > 0) {
		size_t len = decode(rest, &rune);

		if (len == 0 || rune < 0x20 || (rune >= 0x7f && rune < 0xa0))
			return false;
		rest = slice_skip(rest, len);
	}
	return true;
}

static size_t min_of(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Damerau-Levenshtein distance, adjacent swaps counted as one. */
static size_t distance(const char *a, const char *b)
{
	size_t rows[3][WORD_MAX_BYTES + 1];
	size_t a_len = strlen(a), b_len = strlen(b);
	size_t *before = rows[0], *last = rows[1], *now = rows[2];

	if (a_len > WORD_MAX_BYTES || b_len > WORD_MAX_BYTES)
		return WORD_MAX_BYTES;
	for (size_t j = 0; j <= b_len; j++)
		last[j] = j;
	for (size_t i = 1; i <= a_len; i++) {
		size_t *spare = before;

		now[0] = i;
		for (size_t j = 1; j <= b_len; j++) {
			size_t change = a[i - 1] == b[j - 1] ? 0 : 1;

			now[j] = min_of(min_of(last[j] + 1, now[j - 1] + 1), last[j - 1] + change);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				now[j] = min_of(now[j], before[j - 2] + 1);
		}
		before = last;
		last = now;
		now = spare;
	}
	return last[b_len];
}

const char *text_nearest(const char *word, const char *const *list)
{
	const char *best = NULL;
	size_t best_distance = 0;

	for (; *list; list++) {
		size_t here = distance(word, *list);

		if (here > (strlen(*list) + 2) / 3 || here >= strlen(*list))
			continue;
		if (!best || here < best_distance) {
			best = *list;
			best_distance = here;
		}
	}
	return best;
}

static int parse_unit(const char *unit, double *ret_mib)
{
	static const struct {
		const char *name;
		double mib;
	} units[] = {{"", 1},           {"m", 1},         {"mb", 1},        {"mib", 1},
		     {"g", 1024},       {"gb", 1024},     {"gib", 1024},    {"t", 1048576},
		     {"tb", 1048576},   {"tib", 1048576}, {"k", 1 / 1024.}, {"kb", 1 / 1024.},
		     {"kib", 1 / 1024.}};

	for (size_t i = 0; i < array_len(units); i++) {
		if (strcasecmp(unit, units[i].name) == 0) {
			*ret_mib = units[i].mib;
			return 0;
		}
	}
	return -EINVAL;
}

int text_parse_mib(const char *text, uint64_t *ret_mib)
{
	double number, unit;
	char *end;

	if (!isdigit((unsigned char)text[0]) || strpbrk(text, "xX"))
		return -EINVAL;
	errno = 0;
	number = strtod(text, &end);
	if (errno != 0 || end == text || parse_unit(end, &unit) < 0)
		return -EINVAL;
	number *= unit;
	if (number > MIB_MAX)
		return -ERANGE;
	if (number < 1)
		return -EINVAL;
	*ret_mib = (uint64_t)number;
	return 0;
}

int text_parse_number(const char *text, uint64_t min, uint64_t max, uint64_t *ret)
{
	uint64_t value;
	char *end;

	if (!isdigit((unsigned char)text[0]))
		return -EINVAL;
	errno = 0;
	value = strtoull(text, &end, 10);
	if (*end != '\0')
		return -EINVAL;
	if (errno != 0 || value < min || value > max)
		return -ERANGE;
	*ret = value;
	return 0;
}

void text_format_bytes(uint64_t bytes, char ret[TEXT_SHORT_BYTES])
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
	double value = (double)bytes;
	size_t unit = 0;

	while (value >= 1024 && unit + 1 < array_len(units)) {
		value /= 1024;
		unit++;
	}
	snprintf(ret, TEXT_SHORT_BYTES, unit > 0 && value < 10 ? "%.1f %s" : "%.0f %s", value, units[unit]);
}

void text_format_age(uint64_t seconds, char ret[TEXT_SHORT_BYTES])
{
	static const struct {
		uint64_t seconds;
		const char *name;
	} steps[] = {{86400, "day"}, {3600, "hour"}, {60, "minute"}, {1, "second"}};

	for (size_t i = 0; i < array_len(steps); i++) {
		uint64_t count = seconds / steps[i].seconds;

		if (count == 0 && i + 1 < array_len(steps))
			continue;
		snprintf(ret, TEXT_SHORT_BYTES, "%llu %s%s", (unsigned long long)count, steps[i].name,
			 count == 1 ? "" : "s");
		return;
	}
}
