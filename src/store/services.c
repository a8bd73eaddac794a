#include "store/services.h"

#include "base/fd.h"
#include "base/file.h"
#include "base/text.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

/* What people ask for, and why it is not there. */
static const struct {
	const char *name, *why;
} unavailable[] = {
	{"copilot", "Copilot trades its token for others that only it knows; 'sbx secret set github' gives "
		    "GitHub's API its token"},
	{"aws", "AWS has each request signed with the key, and no header holds it"},
	{"devin", "it has a login of its own, and no key"},
};

void services_done(struct services *services)
{
	for (size_t i = 0; i < services->count; i++)
		buf_done(&services->items[i].text);
	services->count = 0;
}

/* ---- reading ---- */

/* Of a file as a whole: what a text on its way may lack. */
static int check(const struct secret_binding *binding, const char *name, struct err *err)
{
	if (!slice_is(binding->service, name))
		return err_set(err, -EINVAL, "it must hold the service of its own name, '%s'", name);
	if (binding->n_hosts == 0)
		return err_set(err, -EINVAL, "it names no host");
	if (binding->state != SECRET_BARE)
		return err_set(err, -EINVAL, "a file of a service holds no value");
	if (binding->placeholder.len > 0 && !secret_is_format(binding->placeholder))
		return err_set(err, -EINVAL, "the placeholder must hold %%s, once, where it is random");
	return 0;
}

static int parse(struct service *service, struct err *err)
{
	struct secret_reader reader = {.text = buf_slice(&service->text)};
	struct secret_binding more;
	int r = secret_next(&reader, &service->binding, err);

	if (r == 0)
		r = err_set(err, -EINVAL, "it says nothing");
	r = r < 0 ? r : check(&service->binding, service->name, err);
	if (r == 0 && secret_next(&reader, &more, err) != 0)
		r = err_set(err, -EINVAL, "it must hold one service only");
	return r < 0 ? r : 0;
}

static int add_file(struct services *services, int dir, const char *name, bool is_custom, struct err *err)
{
	struct service *service = &services->items[services->count];
	int r;

	if (services->count == SECRET_BINDINGS_MAX)
		return err_set(err, -E2BIG, "there are more than %d services", SECRET_BINDINGS_MAX);
	*service = (struct service){.is_custom = is_custom};
	services->count++;
	strcpy(service->name, name);
	r = file_read(dir, name, SERVICE_TEXT_MAX_BYTES, &service->text);
	if (r < 0)
		return err_errno(err, r, "cannot read the service '%s'", name);
	r = parse(service, err);
	return r < 0 ? err_add(err, r, "service '%s'", name) : 0;
}

static int add_all(struct services *services, const char *path, bool is_custom, struct err *err)
{
	autofd int fd = file_open_dir(AT_FDCWD, path);
	auto_dir DIR *dir = fd < 0 ? NULL : fdopendir(dup(fd));
	const struct dirent *entry;
	int r = 0;

	if (!dir)
		return is_custom && fd == -ENOENT
			       ? 0
			       : err_errno(err, fd < 0 ? fd : -errno, "cannot open '%s'", path);
	while (r == 0 && (entry = readdir(dir)))
		if (secret_is_service(slice_text(entry->d_name)))
			r = add_file(services, fd, entry->d_name, is_custom, err);
	return r;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct service *)a)->name, ((const struct service *)b)->name);
}

static void custom_path(const struct paths *paths, char ret[PATH_ROOM_BYTES + 16])
{
	snprintf(ret, PATH_ROOM_BYTES + 16, "%s/services", paths->config);
}

int services_load(const struct paths *paths, struct services *ret, struct err *err)
{
	char path[PATH_ROOM_BYTES + 16];
	int r = paths_program("services/openai", path, err);

	ret->count = 0;
	if (r == 0) {
		*strrchr(path, '/') = '\0';
		r = add_all(ret, path, false, err);
	}
	custom_path(paths, path);
	r = r < 0 ? r : add_all(ret, path, true, err);
	/* The bindings point to what does not move with the structs. */
	qsort(ret->items, ret->count, sizeof(ret->items[0]), by_name);
	return r;
}

/* ---- asking ---- */

static bool has_variable(const struct secret_binding *binding, struct slice name)
{
	for (size_t i = 0; i < binding->n_names; i++)
		if (binding->names[i].len == name.len &&
		    memcmp(binding->names[i].ptr, name.ptr, name.len) == 0)
			return true;
	return false;
}

static int unknown(const struct services *services, const char *name, struct err *err)
{
	const char *names[SECRET_BINDINGS_MAX + 1] = {NULL}, *nearest;
	auto_buf struct buf list = {0};

	for (size_t i = 0; i < array_len(unavailable); i++)
		if (strcmp(name, unavailable[i].name) == 0)
			return err_set(err, -ENOENT, "there is no service '%s': %s", name,
				       unavailable[i].why);
	for (size_t i = 0; i < services->count; i++) {
		names[i] = services->items[i].name;
		(void)buf_printf(&list, "%s%s", i > 0 ? ", " : "", names[i]);
	}
	nearest = text_nearest(name, names);
	if (nearest)
		return err_set(err, -ENOENT, "there is no service '%s': did you mean '%s'? (there is: %s)",
			       name, nearest, buf_text(&list));
	return err_set(
		err, -ENOENT,
		"there is no service '%s' (there is: %s); 'sbx secret set-custom' adds one of your own", name,
		buf_text(&list));
}

int services_find(const struct services *services, const char *name, const struct service **ret,
		  struct err *err)
{
	for (size_t i = 0; i < services->count; i++) {
		const struct service *service = &services->items[i];

		if (strcmp(service->name, name) == 0 || has_variable(&service->binding, slice_text(name))) {
			*ret = service;
			return 0;
		}
	}
	return unknown(services, name, err);
}

/* ---- the person's own ---- */

static int check_new(const struct services *services, const struct secret_binding *binding, struct err *err)
{
	for (size_t i = 0; i < services->count; i++) {
		const struct service *other = &services->items[i];

		if (slice_is(binding->service, other->name)) {
			if (!other->is_custom)
				return err_set(err, -EEXIST,
					       "'%s' is a service that sbx knows: choose another name",
					       other->name);
			continue;
		}
		for (size_t k = 0; k < binding->n_names; k++)
			if (has_variable(&other->binding, binding->names[k]))
				return err_set(err, -EEXIST, "the variable %.*s belongs to the service '%s'",
					       (int)binding->names[k].len, binding->names[k].ptr,
					       other->name);
	}
	return 0;
}

static int open_custom(const struct paths *paths, struct err *err)
{
	char path[PATH_ROOM_BYTES + 16];
	int r;

	custom_path(paths, path);
	r = file_make_dirs(path, err);
	if (r < 0)
		return r;
	r = file_open_dir(AT_FDCWD, path);
	return r < 0 ? err_errno(err, r, "cannot open '%s'", path) : r;
}

int services_add(const struct paths *paths, const struct services *services,
		 const struct secret_binding *binding, struct err *err)
{
	char name[SECRET_SERVICE_MAX_BYTES + 1];
	auto_buf struct buf text = {0};
	autofd int dir = -1;
	int r = check_new(services, binding, err);

	if (r < 0)
		return r;
	snprintf(name, sizeof(name), "%.*s", (int)binding->service.len, binding->service.ptr);
	r = secret_write(&text, binding, false);
	if (r < 0)
		return err_errno(err, r, "cannot describe the service");
	r = check(binding, name, err);
	dir = r < 0 ? r : open_custom(paths, err);
	return dir < 0 ? dir : file_write_atomic(dir, name, 0600, buf_slice(&text), err);
}

int services_remove(const struct paths *paths, const char *name, struct err *err)
{
	autofd int dir = open_custom(paths, err);

	if (dir < 0)
		return dir;
	if (unlinkat(dir, name, 0) < 0 && errno != ENOENT)
		return err_errno(err, -errno, "cannot remove the service '%s'", name);
	return fsync(dir) < 0 ? err_errno(err, -errno, "cannot sync the folder of services") : 0;
}
