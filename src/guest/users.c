#include "guest/users.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>

enum { PASSWD_FIELDS = 7, GROUP_FIELDS = 4, FIELDS_MAX = 7 };

/* Takes a line off the front of text; false at the end. */
static bool next_line(struct slice *text, struct slice *ret)
{
	const char *end;

	if (text->len == 0)
		return false;
	end = memchr(text->ptr, '\n', text->len);
	ret->ptr = text->ptr;
	ret->len = end ? (size_t)(end - text->ptr) : text->len;
	*text = slice_skip(*text, end ? ret->len + 1 : ret->len);
	return true;
}

/* Splits at the byte; more than max parts, or fewer than count, is no entry. */
static size_t split(struct slice line, char byte, struct slice *ret, size_t max)
{
	size_t count = 0;

	for (;;) {
		const char *end = memchr(line.ptr, byte, line.len);

		if (count == max)
			return 0;
		ret[count++] = slice_of(line.ptr, end ? (size_t)(end - line.ptr) : line.len);
		if (!end)
			return count;
		line = slice_skip(line, (size_t)(end - line.ptr) + 1);
	}
}

/* The all-ones id means "unchanged" to the kernel and is nobody's. */
static bool parse_id(struct slice text, unsigned *ret)
{
	unsigned long long value = 0;

	if (text.len == 0 || text.len > 10)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		if (text.ptr[i] < '0' || text.ptr[i] > '9')
			return false;
		value = value * 10 + (unsigned)(text.ptr[i] - '0');
	}
	if (value >= UINT_MAX)
		return false;
	*ret = (unsigned)value;
	return true;
}

static bool same(struct slice one, struct slice other)
{
	return one.len == other.len && memcmp(one.ptr, other.ptr, one.len) == 0;
}

static bool keep(char *into, size_t room, struct slice text)
{
	if (text.len >= room || memchr(text.ptr, '\0', text.len))
		return false;
	memcpy(into, text.ptr, text.len);
	into[text.len] = '\0';
	return true;
}

static bool read_user(const struct slice *fields, struct identity *ret)
{
	*ret = (struct identity){0};
	if (!parse_id(fields[2], &ret->uid) || !parse_id(fields[3], &ret->gid))
		return false;
	if (!keep(ret->name, sizeof(ret->name), fields[0]) || !keep(ret->home, sizeof(ret->home), fields[5]))
		return false;
	return keep(ret->shell, sizeof(ret->shell), fields[6]);
}

/* By name first, as a name may consist of digits. */
static bool find_user(struct slice passwd, struct slice who, bool by_number, struct identity *ret)
{
	struct slice fields[FIELDS_MAX], line;
	unsigned wanted = 0, uid;

	if (by_number && !parse_id(who, &wanted))
		return false;
	while (next_line(&passwd, &line)) {
		if (split(line, ':', fields, FIELDS_MAX) != PASSWD_FIELDS || fields[0].len == 0)
			continue;
		if (by_number && (!parse_id(fields[2], &uid) || uid != wanted))
			continue;
		if (!by_number && !same(fields[0], who))
			continue;
		if (read_user(fields, ret))
			return true;
	}
	return false;
}

static bool find_group(struct slice group, struct slice who, gid_t *ret)
{
	struct slice fields[FIELDS_MAX], line;

	while (next_line(&group, &line))
		if (split(line, ':', fields, FIELDS_MAX) == GROUP_FIELDS && same(fields[0], who) &&
		    parse_id(fields[2], ret))
			return true;
	return false;
}

static bool has_member(struct slice members, struct slice who)
{
	while (members.len > 0) {
		const char *end = memchr(members.ptr, ',', members.len);
		size_t len = end ? (size_t)(end - members.ptr) : members.len;

		if (same(slice_of(members.ptr, len), who))
			return true;
		members = slice_skip(members, end ? len + 1 : len);
	}
	return false;
}

static void add_group(struct identity *user, gid_t gid)
{
	for (size_t i = 0; i < user->n_groups; i++)
		if (user->groups[i] == gid)
			return;
	if (user->n_groups < USER_GROUPS_MAX)
		user->groups[user->n_groups++] = gid;
}

static void add_groups(struct slice group, struct identity *user)
{
	struct slice fields[FIELDS_MAX], line;
	gid_t gid;

	add_group(user, user->gid);
	while (user->name[0] && next_line(&group, &line))
		if (split(line, ':', fields, FIELDS_MAX) == GROUP_FIELDS && parse_id(fields[2], &gid) &&
		    has_member(fields[3], slice_text(user->name)))
			add_group(user, gid);
}

int users_find_group(struct slice group, const char *name, gid_t *ret)
{
	return find_group(group, slice_text(name), ret) ? 0 : -ENOENT;
}

int users_find(struct slice passwd, struct slice group, const char *who, struct identity *ret,
	       struct err *err)
{
	const char *colon = strchr(who, ':');
	struct slice user = slice_of(who, colon ? (size_t)(colon - who) : strlen(who));
	struct identity found = {.home = "/", .shell = "/bin/sh"};

	if (!find_user(passwd, user, false, &found) && !find_user(passwd, user, true, &found)) {
		found = (struct identity){.home = "/", .shell = "/bin/sh"};
		if (!parse_id(user, &found.uid))
			return err_set(err, -ENOENT, "there is no user '%.*s' in the sandbox",
				       (int)(user.len < 64 ? user.len : 64), user.ptr);
		found.gid = found.uid;
	}
	if (colon && !find_group(group, slice_text(colon + 1), &found.gid) &&
	    !parse_id(slice_text(colon + 1), &found.gid))
		return err_set(err, -ENOENT, "there is no group '%.64s' in the sandbox", colon + 1);
	if (!found.home[0])
		snprintf(found.home, sizeof(found.home), "/");
	if (!found.shell[0])
		snprintf(found.shell, sizeof(found.shell), "/bin/sh");
	add_groups(group, &found);
	*ret = found;
	return 0;
}
