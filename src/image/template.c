#include "image/template.h"

#include "base/file.h"
#include "image/initramfs.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
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

static void hand_over(struct template *from, struct template *to)
{
	*to = *from;
	*from = TEMPLATE_NONE;
}

static int open_base(const struct paths *paths, const char *name, int dir_fd, const struct manifest *manifest,
		     struct template *ret, struct err *err)
{
	auto_template struct template opened = TEMPLATE_NONE;
	autofd int modules = -1;

	opened.kernel = manifest_open_file(dir_fd, manifest, MANIFEST_KERNEL, err);
	if (opened.kernel < 0)
		return damaged(err, opened.kernel, name);
	opened.base = manifest_open_file(dir_fd, manifest, MANIFEST_BASE, err);
	if (opened.base < 0)
		return damaged(err, opened.base, name);
	modules = manifest_open_file(dir_fd, manifest, MANIFEST_MODULES, err);
	if (modules < 0)
		return damaged(err, modules, name);
	opened.initramfs = initramfs_open(paths, name, manifest->id, modules, opened.initramfs_id, err);
	if (opened.initramfs < 0)
		return err_add(err, opened.initramfs, "the template '%s'", name);
	memcpy(opened.id, manifest->id, sizeof(opened.id));
	memcpy(opened.kernel_version, manifest->kernel_version, sizeof(opened.kernel_version));
	hand_over(&opened, ret);
	return 0;
}

/* The base's files, the layer over them, and its own id. */
static int open_layer(const struct paths *paths, const char *name, int dir_fd,
		      const struct manifest *manifest, struct template *ret, struct err *err)
{
	auto_template struct template opened = TEMPLATE_NONE;
	struct manifest base;
	autofd int base_fd = open_folder(paths, TEMPLATE_BASE_NAME, &base, err);
	int r = base_fd < 0 ? base_fd : open_base(paths, TEMPLATE_BASE_NAME, base_fd, &base, &opened, err);

	/* Building this one mends the base as well. */
	if (r < 0 || strcmp(base.id, manifest->base_id) != 0)
		return r < 0 && r != -ENOENT && r != -EUCLEAN
			       ? r
			       : err_set(err, -ESTALE, "the template '%s' was built on another base", name);
	opened.layer = manifest_open_file(dir_fd, manifest, MANIFEST_LAYER, err);
	if (opened.layer < 0)
		return damaged(err, opened.layer, name);
	memcpy(opened.id, manifest->id, sizeof(opened.id));
	memcpy(opened.recipe, manifest->recipe, sizeof(opened.recipe));
	hand_over(&opened, ret);
	return 0;
}

int template_open(const struct paths *paths, const char *name, struct template *ret, struct err *err)
{
	struct manifest manifest = {.created = 0};
	struct err own;
	autofd int dir_fd = -1;

	err = err ? err : &own;
	dir_fd = open_folder(paths, name, &manifest, err);
	if (dir_fd < 0)
		return dir_fd;
	return manifest.base_id[0] ? open_layer(paths, name, dir_fd, &manifest, ret, err)
				   : open_base(paths, name, dir_fd, &manifest, ret, err);
}

void template_done(struct template *template)
{
	int *const slots[] = {&template->kernel, &template->initramfs, &template->base, &template->layer};

	for (size_t i = 0; i < array_len(slots); i++) {
		int fd = steal_fd(slots[i]);

		if (fd >= 0)
			close(fd);
	}
}

int template_verify(const struct paths *paths, const char *name, struct err *err)
{
	struct manifest wanted, found;
	autofd int dir_fd = -1;
	struct err own;
	int r;

	err = err ? err : &own;
	dir_fd = open_folder(paths, name, &wanted, err);
	if (dir_fd < 0)
		return dir_fd;
	for (unsigned int i = 0; i < MANIFEST_FILES; i++) {
		autofd int fd = manifest_has(&wanted, i) ? manifest_open_file(dir_fd, &wanted, i, err) : -1;

		if (fd < 0 && manifest_has(&wanted, i))
			return damaged(err, fd, name);
	}
	found = wanted;
	r = manifest_measure(dir_fd, &found, err);
	if (r < 0)
		return err_add(err, r, "the template '%s'", name);
	for (unsigned int i = 0; i < MANIFEST_FILES; i++)
		if (manifest_has(&wanted, i) && strcmp(wanted.files[i].sha256, found.files[i].sha256) != 0)
			return damaged(err,
				       err_set(err, -EUCLEAN, "the content of %s has changed",
					       manifest_file_name(i)),
				       name);
	return 0;
}

int template_publish(int folder_fd, const char *work, const char *name, struct err *err)
{
	int r = renameat2(folder_fd, work, folder_fd, name, RENAME_EXCHANGE);

	if (r < 0 && errno == ENOENT)
		r = renameat2(folder_fd, work, folder_fd, name, RENAME_NOREPLACE);
	/* File systems that cannot exchange: a moment without a template is then the price. */
	if (r < 0 && errno == EINVAL) {
		r = file_remove_tree(folder_fd, name, err);
		if (r < 0)
			return r;
		r = renameat(folder_fd, work, folder_fd, name);
	}
	if (r < 0)
		return err_errno(err, -errno, "cannot put the template '%s' in place", name);
	return fsync(folder_fd) < 0 ? err_errno(err, -errno, "cannot sync the folder of the templates") : 0;
}
