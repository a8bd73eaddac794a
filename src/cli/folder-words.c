/* What of folders is text: paths, and what a person writes. */
#include "cli/folder.h"

#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

/* What a row of a table of paths means. */
enum reach { ITSELF, AND_CHILDREN, AND_ALL_BELOW };

struct row {
	const char *path;
	enum reach reach;
};

/* Of the host: nobody works there, and what the system or other users keep there is not a sandbox's. */
static const struct row host_system[] = {
	{"/", ITSELF},           {"/proc", AND_ALL_BELOW}, {"/sys", AND_ALL_BELOW},
	{"/dev", AND_ALL_BELOW}, {"/boot", AND_ALL_BELOW}, {"/etc", AND_ALL_BELOW},
	{"/run", AND_ALL_BELOW}, {"/bin", ITSELF},         {"/sbin", ITSELF},
	{"/lib", ITSELF},        {"/lib32", ITSELF},       {"/lib64", ITSELF},
	{"/libx32", ITSELF},     {"/usr", AND_CHILDREN},   {"/var", AND_CHILDREN},
	{"/home", ITSELF},       {"/root", ITSELF},        {"/opt", ITSELF},
	{"/srv", ITSELF},        {"/mnt", ITSELF},         {"/media", ITSELF},
	{"/tmp", ITSELF},
};

/* Of the sandbox: it would not run without them. */
static const struct row guest_system[] = {
	{"/", ITSELF},
	{"/bin", AND_ALL_BELOW},
	{"/sbin", AND_ALL_BELOW},
	{"/lib", AND_ALL_BELOW},
	{"/lib32", AND_ALL_BELOW},
	{"/lib64", AND_ALL_BELOW},
	{"/libx32", AND_ALL_BELOW},
	{"/usr", AND_ALL_BELOW},
	{"/etc", AND_ALL_BELOW},
	{"/proc", AND_ALL_BELOW},
	{"/sys", AND_ALL_BELOW},
	{"/dev", AND_ALL_BELOW},
	{"/boot", AND_ALL_BELOW},
	{"/run", AND_ALL_BELOW},
	{"/var", AND_CHILDREN},
	{"/var/run", AND_ALL_BELOW},
	{"/var/lock", AND_ALL_BELOW},
	{"/var/lib/docker", AND_ALL_BELOW},
	{"/var/lib/containerd", AND_ALL_BELOW},
	{"/home", ITSELF},
	{"/home/agent", ITSELF},
	{"/root", ITSELF},
	{"/tmp", ITSELF},
	{"/opt", ITSELF},
	{"/srv", ITSELF},
	{"/mnt", ITSELF},
	{"/media", ITSELF},
};

/* What lies in these is a person's, for all that it lies in /usr. */
static const char *const guest_sources[] = {"/usr/src", "/usr/local/src"};

bool folder_has(const char *folder, const char *path)
{
	size_t len = strlen(folder);

	if (len == 1)
		return true;
	return strncmp(path, folder, len) == 0 && (path[len] == '\0' || path[len] == '/');
}

static bool is_listed(const struct row *rows, size_t count, const char *path)
{
	for (size_t i = 0; i < count; i++) {
		size_t len = strlen(rows[i].path);

		if (strcmp(path, rows[i].path) == 0)
			return true;
		if (rows[i].reach == ITSELF || !folder_has(rows[i].path, path))
			continue;
		if (rows[i].reach == AND_ALL_BELOW || !strchr(path + len + 1, '/'))
			return true;
	}
	return false;
}

bool folder_is_system(const char *path)
{
	return is_listed(host_system, array_len(host_system), path);
}

int folder_check_target(const char *target, struct err *err)
{
	for (size_t i = 0; i < array_len(guest_sources); i++)
		if (strcmp(target, guest_sources[i]) != 0 && folder_has(guest_sources[i], target))
			return 0;
	if (!is_listed(guest_system, array_len(guest_system), target))
		return 0;
	return err_set(
		err, -EPERM,
		"nothing can be put at '%s' inside, the sandbox has its own there: '--mount PATH:TARGET' "
		"takes another place",
		target);
}

/* Appends "/part", or takes the last part away for "..". */
static int step(char *path, size_t *len, const char *part, size_t part_len)
{
	if (part_len == 0 || (part_len == 1 && part[0] == '.'))
		return 0;
	if (part_len == 2 && part[0] == '.' && part[1] == '.') {
		while (*len > 0 && path[--*len] != '/')
			continue;
		path[*len] = '\0';
		return 0;
	}
	if (*len + part_len + 2 > FOLDER_PATH_BYTES)
		return -ENAMETOOLONG;
	path[(*len)++] = '/';
	memcpy(path + *len, part, part_len);
	*len += part_len;
	path[*len] = '\0';
	return 0;
}

int folder_clean(const char *path, const char *base, char ret[FOLDER_PATH_BYTES])
{
	const char *const texts[] = {path[0] == '/' ? "" : base, path};
	char clean[FOLDER_PATH_BYTES] = "";
	size_t len = 0;
	int r = 0;

	for (size_t i = 0; i < array_len(texts); i++) {
		for (const char *at = texts[i]; r == 0 && *at; at += *at == '/') {
			size_t part_len = strcspn(at, "/");

			r = step(clean, &len, at, part_len);
			at += part_len;
		}
	}
	if (r < 0)
		return r;
	strcpy(ret, len > 0 ? clean : "/");
	return 0;
}

static bool exists(const char *path)
{
	return faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* The last ":/", which is where a target begins. */
static char *find_target(char *text)
{
	char *found = NULL;

	for (char *at = strstr(text, ":/"); at; at = strstr(at + 1, ":/"))
		found = at;
	return found;
}

/* By the text alone. Returns the length of the path in front. */
static size_t split(const char *text, bool may_have_target, struct folder_words *words)
{
	char rest[2 * FOLDER_PATH_BYTES], *target;
	size_t len = strlen(text);

	strcpy(rest, text);
	if (len > 3 && (strcmp(rest + len - 3, ":ro") == 0 || strcmp(rest + len - 3, ":rw") == 0)) {
		words->is_read_only = rest[len - 1] == 'o';
		rest[len - 3] = '\0';
	}
	target = may_have_target ? find_target(rest) : NULL;
	if (target && target > rest) {
		snprintf(words->target, sizeof(words->target), "%s", target + 1);
		*target = '\0';
	}
	snprintf(words->path, sizeof(words->path), "%s", rest);
	return strlen(rest);
}

int folder_parse(const char *text, bool may_have_target, struct folder_words *ret, struct err *err)
{
	struct folder_words words = {.path = ""};
	size_t len = strlen(text), path_len;

	if (len == 0)
		return err_set(err, -EINVAL, "the path of a folder is empty");
	if (!text_is_line(text))
		return err_set(err, -EINVAL,
			       "'%s' cannot be shared: its name has control characters or is not valid UTF-8",
			       text);
	if (len >= FOLDER_PATH_BYTES)
		return err_set(err, -ENAMETOOLONG, "the path '%.40s…' is too long", text);
	path_len = split(text, may_have_target, &words);
	if (path_len < len && exists(text)) {
		if (exists(words.path))
			return err_set(
				err, -EINVAL,
				"both '%s' and '%s' are there: write '%s:rw' for the first or '%s/%s' for "
				"the second",
				text, words.path, text, words.path, text + path_len);
		words = (struct folder_words){.path = ""};
		strcpy(words.path, text);
	}
	if (!may_have_target && strstr(words.path, ":/") && !exists(words.path))
		return err_set(err, -EINVAL, "'%s' has another path inside: '--mount %s' takes that", text,
			       text);
	*ret = words;
	return 0;
}
