#include "cli/registry.h"

#include "base/fd.h"
#include "base/paths.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

enum { NPMRC_MAX_BYTES = 1 << 20 };

static struct slice trim(struct slice text)
{
	while (text.len > 0 && strchr(" \t\r\"'", text.ptr[0]))
		text = slice_skip(text, 1);
	while (text.len > 0 && strchr(" \t\r\"'", text.ptr[text.len - 1]))
		text.len--;
	return text;
}

static bool starts(struct slice text, const char *with)
{
	size_t len = strlen(with);

	return text.len >= len && memcmp(text.ptr, with, len) == 0;
}

struct slice registry_in(struct slice npmrc)
{
	struct slice found = slice_text("");

	while (npmrc.len > 0) {
		const char *newline = memchr(npmrc.ptr, '\n', npmrc.len);
		struct slice line = slice_of(npmrc.ptr, newline ? (size_t)(newline - npmrc.ptr) : npmrc.len);
		const char *equals = line.len > 0 ? memchr(line.ptr, '=', line.len) : NULL;
		size_t key_len = equals ? (size_t)(equals - line.ptr) : 0;

		/* As npm: the last one counts. */
		if (equals && slice_is(trim(slice_of(line.ptr, key_len)), "registry"))
			found = trim(slice_skip(line, key_len + 1));
		npmrc = slice_skip(npmrc, newline ? line.len + 1 : line.len);
	}
	return found;
}

int registry_parse(struct slice url, struct registry *ret)
{
	static const struct {
		const char *text;
		uint16_t port;
	} schemes[] = {{"https://", 443}, {"http://", 80}};
	struct registry registry = {.port = 0};
	struct slice rest, authority;
	size_t i = 0, len = 0;
	const char *user;

	while (i < array_len(schemes) && !starts(url, schemes[i].text))
		i++;
	if (i == array_len(schemes))
		return -EINVAL;
	rest = slice_skip(url, strlen(schemes[i].text));
	while (len < rest.len && rest.ptr[len] != '/')
		len++;
	authority = slice_of(rest.ptr, len);
	user = len > 0 ? memrchr(authority.ptr, '@', len) : NULL;
	if (user)
		authority = slice_skip(authority, (size_t)(user + 1 - authority.ptr));
	rest = slice_skip(rest, len);
	for (size_t at = 0; at < rest.len; at++)
		if ((unsigned char)rest.ptr[at] <= ' ' || strchr("?#\"'\\$`\177", rest.ptr[at]))
			return -EINVAL;
	if (host_parse_port(authority, schemes[i].port, &registry.host, &registry.port) < 0 ||
	    snprintf(registry.url, sizeof(registry.url), "%s%.*s%.*s", schemes[i].text, (int)authority.len,
		     authority.ptr, (int)rest.len, rest.ptr) >= (int)sizeof(registry.url))
		return -EINVAL;
	*ret = registry;
	return 0;
}

/* Gives a registry of what a place says; 1 where it says nothing. */
static int take(struct slice value, const char *where, struct registry *ret, struct err *err)
{
	if (value.len == 0)
		return 1;
	if (registry_parse(value, ret) == 0)
		return 0;
	/* Not the value: it may have a password in it. */
	return err_set(err, -EINVAL,
		       "the npm registry that %s names cannot be used: it is no http or https URL", where);
}

static int look_into(const char *path, struct registry *ret, struct err *err)
{
	autofd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	auto_buf struct buf text = {0};
	char where[PATH_ROOM_BYTES + 2];

	snprintf(where, sizeof(where), "'%s'", path);
	if (fd < 0 || fd_read_all(fd, NPMRC_MAX_BYTES, &text) < 0)
		return 1;
	return take(registry_in(buf_slice(&text)), where, ret, err);
}

static const char *environment(const char *lower, const char *upper)
{
	const char *value = getenv(lower);

	return value && *value ? value : getenv(upper);
}

int registry_find(struct registry *ret, struct err *err)
{
	const char *named = environment("npm_config_registry", "NPM_CONFIG_REGISTRY");
	const char *own = environment("npm_config_userconfig", "NPM_CONFIG_USERCONFIG"),
		   *home = getenv("HOME");
	const char *all = environment("npm_config_globalconfig", "NPM_CONFIG_GLOBALCONFIG");
	const char *const shared[] = {all ? all : "/usr/local/etc/npmrc", "/usr/etc/npmrc", "/etc/npmrc"};
	char path[PATH_ROOM_BYTES];
	int r = take(slice_text(named ? named : ""), "the environment", ret, err);

	snprintf(path, sizeof(path), "%s/.npmrc", home ? home : "");
	if (r == 1)
		r = look_into(own ? own : path, ret, err);
	for (size_t i = 0; r == 1 && i < array_len(shared); i++)
		r = look_into(shared[i], ret, err);
	if (r == 1)
		*ret = (struct registry){.port = 0};
	return r == 1 ? 0 : r;
}
