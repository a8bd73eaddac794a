#include "policy/path.h"

#include <errno.h>
#include <strings.h>

static int hex_digit(char byte)
{
	if (byte >= '0' && byte <= '9')
		return byte - '0';
	if (byte >= 'a' && byte <= 'f')
		return byte - 'a' + 10;
	return byte >= 'A' && byte <= 'F' ? byte - 'A' + 10 : -1;
}

/* A byte that may stand for itself in a path (RFC 3986), but for ';', which begins what some servers drop. */
static bool is_plain(int byte)
{
	return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || (byte >= '0' && byte <= '9') ||
	       (byte > 0 && strchr("-._~/!$&'()*+,=:@", byte));
}

/* What servers decode and then read as something else than a byte of a name. */
static bool is_dangerous(int byte)
{
	return byte < 0x20 || byte == 0x7f || strchr("/\\;%", byte);
}

/* Decodes one %XX at the front. Appends one byte, or the same three with capitals. */
static int take_encoded(struct slice path, char *into, size_t *len)
{
	static const char digits[] = "0123456789ABCDEF";
	int high = path.len > 2 ? hex_digit(path.ptr[1]) : -1,
	    low = path.len > 2 ? hex_digit(path.ptr[2]) : -1;
	int byte = high * 16 + low;

	if (high < 0 || low < 0 || is_dangerous(byte))
		return -EINVAL;
	if (is_plain(byte)) {
		into[(*len)++] = (char)byte;
		return 0;
	}
	into[(*len)++] = '%';
	into[(*len)++] = digits[high];
	into[(*len)++] = digits[low];
	return 0;
}

/* No empty segment but the last, no "." and "..". */
static bool are_segments_ok(const char *path)
{
	for (const char *at = path + 1;;) {
		size_t len = strcspn(at, "/");

		if ((len == 0 && at[len] == '/') || (len == 1 && at[0] == '.') ||
		    (len == 2 && at[0] == '.' && at[1] == '.'))
			return false;
		if (at[len] == '\0')
			return true;
		at += len + 1;
	}
}

int path_canonical(struct slice path, char ret[PATH_TEXT_BYTES])
{
	const char *query = path.len > 0 ? memchr(path.ptr, '?', path.len) : NULL;
	char text[PATH_TEXT_BYTES] = "";
	size_t len = 0;

	if (query)
		path.len = (size_t)(query - path.ptr);
	if (path.len == 0 || path.len >= sizeof(text) || path.ptr[0] != '/')
		return -EINVAL;
	/* Never longer than what is read. */
	while (path.len > 0) {
		bool is_encoded = path.ptr[0] == '%';

		if (is_encoded ? take_encoded(path, text, &len) < 0 : !is_plain((unsigned char)path.ptr[0]))
			return -EINVAL;
		if (!is_encoded)
			text[len++] = path.ptr[0];
		path = slice_skip(path, is_encoded ? 3 : 1);
	}
	text[len] = '\0';
	if (!are_segments_ok(text))
		return -EINVAL;
	memcpy(ret, text, len + 1);
	return 0;
}

/* "?" would cut the pattern short, and an encoded star would become one that means something. */
static bool has_misleading(struct slice pattern)
{
	for (size_t i = 0; i < pattern.len; i++)
		if (pattern.ptr[i] == '?' ||
		    (pattern.len - i >= 3 && strncasecmp(pattern.ptr + i, "%2a", 3) == 0))
			return true;
	return false;
}

int path_pattern(struct slice pattern, char ret[PATH_TEXT_BYTES])
{
	char text[PATH_TEXT_BYTES];

	if (has_misleading(pattern) || path_canonical(pattern, text) < 0)
		return -EINVAL;
	for (const char *star = strchr(text, '*'); star; star = strchr(star, '*')) {
		size_t count = strspn(star, "*");

		if (count > 2 || star[-1] != '/' || (star[count] != '/' && star[count] != '\0'))
			return -EINVAL;
		star += count;
	}
	strcpy(ret, text);
	return 0;
}

/* The length of the segment that begins here, behind its slash. */
static size_t segment(const char *at)
{
	return strcspn(at, "/");
}

static const char *next(const char *at, size_t len)
{
	return at[len] == '/' ? at + len + 1 : NULL;
}

static bool fits(const char *pattern, size_t pattern_len, const char *path, size_t len, bool ignores_case)
{
	if (pattern_len == 1 && pattern[0] == '*')
		return len > 0;
	if (pattern_len != len)
		return false;
	return (ignores_case ? strncasecmp(pattern, path, len) : strncmp(pattern, path, len)) == 0;
}

static bool is_deep(const char *pattern)
{
	return pattern && segment(pattern) == 2 && strncmp(pattern, "**", 2) == 0;
}

/* As with wildcards for bytes: on a mismatch the last "**" takes one segment more; those before it need not
 * be tried again. */
bool path_matches(const char *pattern, const char *path, bool is_lenient)
{
	const char *after = NULL, *retry = NULL;
	bool has_star = false;

	pattern++, path++;
	while (path) {
		/* Servers that take "/a/" for "/a" are many. */
		if (is_lenient && !pattern && *path == '\0')
			return true;
		if (is_deep(pattern)) {
			has_star = true;
			after = pattern = next(pattern, 2);
			retry = path;
		} else if (pattern && fits(pattern, segment(pattern), path, segment(path), is_lenient)) {
			pattern = next(pattern, segment(pattern));
			path = next(path, segment(path));
		} else if (has_star && retry) {
			retry = next(retry, segment(retry));
			path = retry;
			pattern = after;
		} else {
			return false;
		}
	}
	while (is_deep(pattern))
		pattern = next(pattern, 2);
	return !pattern || (is_lenient && *pattern == '\0');
}
