#include "image/template.h"

#include "base/file.h"
#include "image/initramfs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

enum { NAME_MAX_BYTES = 63 };

int template_check_name(const char *name, struct err *err)
{
	static const char first[] = "abcdefghijklmnopqrstuvwxyz0123456789";
	static const char rest[] = "abcdefghijklmnopqrstuvwxyz0123456789._-";
	size_t len = strlen(name);

	if (strspn(name, first) < 1 || strspn(name, rest) != len || len > NAME_MAX_BYTES)
		return err_set(err, -EINVAL,
			       "'%.70s' is not a template name: use up to %d of a-z, 0-9, '.', '_' and '-'",
			       name, NAME_MAX_BYTES);
	return 0;
}

static int damaged(struct err *err, int code, const char *name)
{
	struct err reason = *err;

	if (code != -EUCLEAN)
		return err_add(err, code, "the template '%s'", name);
	return err_set(err, code,
		       "the template '%s' is damaged: %s; build it again with 'sbx template build %s'", name,
		       reason.text, name);
}

/* Gives the descriptor of the template's folder and what it should hold. */
static int open_folder(const struct paths *paths, const char *name, struct manifest *ret, struct err *err)
{
	char path[PATH_ROOM_BYTES];
	int r = template_check_name(name, err);
	autofd int dir_fd = -1;

	if (r < 0)
		return r;
	if (snprintf(path, sizeof(path), "%s/templates/%s", paths->data, name) >= (int)sizeof(path))
		return err_set(err, -ENAMETOOLONG, "the path of the template '%s' is too long", name);
	dir_fd = file_open_dir(AT_FDCWD, path);
	if (dir_fd == -ENOENT)
		return err_set(err, -ENOENT,
			       "there is no template '%s' yet: make it with 'sbx template build %s'", name,
			       name);
	if (dir_fd == -ENOTDIR)
		return damaged(err, err_set(err, -EUCLEAN, "'%s' is not a folder", path), name);
	if (dir_fd < 0)
		return err_errno(err, dir_fd, "cannot open the template '%s'", name);
	r = manifest_read(dir_fd, ret, err);
	if (r < 0)
		return damaged(err, r == -ENOENT ? -EUCLEAN : r, name);
	return steal_fd(&dir_fd);
}

int template_open(const struct paths *paths, const char *name, struct template *ret, struct err *err)
{
	auto_template struct template opened = {.kernel = -1, .initramfs = -1, .base = -1};
	autofd int dir_fd = -1, modules = -1;
	struct manifest manifest;
	struct err own;

	err = err ? err : &own;
	dir_fd = open_folder(paths, name, &manifest, err);
	if (dir_fd < 0)
		return dir_fd;
	opened.kernel = manifest_open_file(dir_fd, &manifest, MANIFEST_KERNEL, err);
	if (opened.kernel < 0)
		return damaged(err, opened.kernel, name);
	opened.base = manifest_open_file(dir_fd, &manifest, MANIFEST_BASE, err);
	if (opened.base < 0)
		return damaged(err, opened.base, name);
	modules = manifest_open_file(dir_fd, &manifest, MANIFEST_MODULES, err);
	if (modules < 0)
		return damaged(err, modules, name);
	opened.initramfs = initramfs_open(paths, name, manifest.id, modules, opened.initramfs_id, err);
	if (opened.initramfs < 0)
		return err_add(err, opened.initramfs, "the template '%s'", name);
	*ret = (struct template){.kernel = steal_fd(&opened.kernel),
				 .initramfs = steal_fd(&opened.initramfs),
				 .base = steal_fd(&opened.base)};
	memcpy(ret->id, manifest.id, sizeof(ret->id));
	memcpy(ret->initramfs_id, opened.initramfs_id, sizeof(ret->initramfs_id));
	memcpy(ret->kernel_version, manifest.kernel_version, sizeof(ret->kernel_version));
	return 0;
}

void template_done(struct template *template)
{
	int *const slots[] = {&template->kernel, &template->initramfs, &template->base};

	for (size_t i = 0; i < array_len(slots); i++) {
		int fd = steal_fd(slots[i]);

		if (fd >= 0)
			close(fd);
	}
}

int template_verify(const struct paths *paths, const char *name, struct err *err)
{
	struct manifest wanted, found = {0};
	autofd int dir_fd = -1;
	struct err own;
	int r;

	err = err ? err : &own;
	dir_fd = open_folder(paths, name, &wanted, err);
	if (dir_fd < 0)
		return dir_fd;
	for (unsigned int i = 0; i < MANIFEST_FILES; i++) {
		autofd int fd = manifest_open_file(dir_fd, &wanted, i, err);

		if (fd < 0)
			return damaged(err, fd, name);
	}
	r = manifest_measure(dir_fd, &found, err);
	if (r < 0)
		return err_add(err, r, "the template '%s'", name);
	for (unsigned int i = 0; i < MANIFEST_FILES; i++)
		if (strcmp(wanted.files[i].sha256, found.files[i].sha256) != 0)
			return damaged(err,
				       err_set(err, -EUCLEAN, "the content of %s has changed",
					       manifest_file_name(i)),
				       name);
	return 0;
}
