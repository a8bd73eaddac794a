#include "cli/env.h"

#include "base/fd.h"
#include "store/services.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

enum { FILE_MAX_BYTES = 1 << 20, ENV_MAX = 1024 };

struct list {
	const struct paths *paths; /* borrowed; may be NULL */
	char **items;
	size_t count;
};

void env_free(char **env)
{
	for (char **item = env; item && *item; item++)
		free(*item);
	free(env);
}

static int push(struct list *list, char *text)
{
	char **grown = text ? realloc(list->items, (list->count + 2) * sizeof(*grown)) : NULL;

	if (!grown) {
		free(text);
		return -ENOMEM;
	}
	list->items = grown;
	grown[list->count++] = text;
	grown[list->count] = NULL;
	return 0;
}

/* *ret: its value is a secret. */
static int judge(const struct paths *paths, const char *name, bool *ret, struct err *err)
{
	static struct services services; /* large */
	const struct service *service;
	int r = paths ? services_load(paths, &services, err) : 0;

	*ret = paths && r == 0 && secret_is_variable(slice_text(name)) &&
	       services_find(&services, name, &service, NULL) == 0;
	services_done(&services);
	return r;
}

static int add(struct list *list, const char *text, struct err *err)
{
	size_t name_len = strcspn(text, "=");
	const char *value;
	bool is_secret;
	char *line;
	int r;

	if (name_len == 0 || isdigit((unsigned char)text[0]))
		return err_set(err, -EINVAL, "'%s' is not NAME=VALUE or NAME", text);
	if (list->count >= ENV_MAX)
		return err_set(err, -E2BIG, "more than %d environment variables", ENV_MAX);
	if (text[name_len] == '=')
		return push(list, strdup(text));
	r = judge(list->paths, text, &is_secret, err);
	value = getenv(text);
	if (r < 0 || is_secret || !value)
		return r;
	return asprintf(&line, "%s=%s", text, value) < 0 ? -ENOMEM : push(list, line);
}

static int add_file(struct list *list, const char *path, struct err *err)
{
	autofd int fd = open(path, O_RDONLY | O_CLOEXEC);
	auto_buf struct buf text = {0};
	char *save = NULL;
	int r = fd < 0 ? -errno : fd_read_all(fd, FILE_MAX_BYTES, &text);

	if (r < 0)
		return err_errno(err, r, "cannot read '%s'", path);
	if (memchr(buf_text(&text), '\0', text.len))
		return err_set(err, -EINVAL, "'%s' is not a text file", path);
	for (char *line = strtok_r(text.data, "\r\n", &save); line; line = strtok_r(NULL, "\r\n", &save)) {
		line += strspn(line, " \t");
		if (*line == '\0' || *line == '#')
			continue;
		r = add(list, line, err);
		if (r < 0)
			return err_add(err, r, "'%s'", path);
	}
	return 0;
}

int env_collect(const struct paths *paths, const struct option_list *env, const struct option_list *files,
		char ***ret, struct err *err)
{
	struct list list = {.paths = paths};
	int r = 0;

	for (size_t i = 0; r == 0 && i < files->count; i++)
		r = add_file(&list, files->items[i], err);
	for (size_t i = 0; r == 0 && i < env->count; i++)
		r = add(&list, env->items[i], err);
	if (r == -ENOMEM)
		err_errno(err, r, "cannot keep the environment");
	if (r < 0) {
		env_free(list.items);
		return r;
	}
	*ret = list.items;
	return 0;
}
