#include "image/layer.h"

#include "base/file.h"
#include "image/manifest.h"
#include "image/template.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

enum { EXT4_MAGIC_AT = 1024 + 56 };

int layer_open(const struct paths *paths, const char *name, struct layer *ret, struct err *err)
{
	char path[PATH_ROOM_BYTES];
	int r = template_check_name(name, err);

	if (r < 0)
		return r;
	if (snprintf(path, sizeof(path), "%s/templates", paths->data) >= (int)sizeof(path))
		return err_set(err, -ENAMETOOLONG, "the path of the templates is too long");
	r = file_make_dirs(path, err);
	if (r < 0)
		return r;
	ret->name = name;
	ret->folder = file_open_dir(AT_FDCWD, path);
	if (ret->folder < 0)
		return err_errno(err, ret->folder, "cannot open '%s'", path);
	snprintf(ret->work_name, sizeof(ret->work_name), ".layer-%s", name);
	return 0;
}

int layer_lock(struct layer *layer, struct err *err)
{
	char name[LAYER_NAME_BYTES];

	snprintf(name, sizeof(name), ".%s.lock", layer->name);
	layer->lock = openat(layer->folder, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (layer->lock < 0 || flock(layer->lock, LOCK_EX) < 0)
		return err_errno(err, -errno, "cannot lock the template '%s'", layer->name);
	return 0;
}

int layer_begin(struct layer *layer, struct err *err)
{
	int r = file_remove_tree(layer->folder, layer->work_name, err);

	if (r < 0)
		return r;
	if (mkdirat(layer->folder, layer->work_name, 0700) == 0)
		layer->work = file_open_dir(layer->folder, layer->work_name);
	if (layer->work >= 0)
		layer->image = openat(layer->work, manifest_file_name(MANIFEST_LAYER),
				      O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	return layer->image < 0 ? err_errno(err, -errno, "cannot make the template '%s'", layer->name) : 0;
}

static int seal(const struct layer *layer, struct err *err)
{
	unsigned char magic[2] = {0};

	if (pread(layer->image, magic, sizeof(magic), EXT4_MAGIC_AT) != sizeof(magic) || magic[0] != 0x53 ||
	    magic[1] != 0xef)
		return err_set(err, -EIO, "the build gave no usable %s", manifest_file_name(MANIFEST_LAYER));
	if (fchmod(layer->image, 0444) < 0 || fsync(layer->image) < 0)
		return err_errno(err, -errno, "cannot write the new %s", manifest_file_name(MANIFEST_LAYER));
	return 0;
}

int layer_publish(struct layer *layer, const char *base_id, const char *recipe, struct err *err)
{
	struct manifest manifest = {.created = time(NULL)};
	int r = seal(layer, err);

	snprintf(manifest.base_id, sizeof(manifest.base_id), "%s", base_id);
	snprintf(manifest.recipe, sizeof(manifest.recipe), "%s", recipe);
	r = r < 0 ? r : manifest_measure(layer->work, &manifest, err);
	r = r < 0 ? r : manifest_write(layer->work, &manifest, err);
	return r < 0 ? r : template_publish(layer->folder, layer->work_name, layer->name, err);
}

void layer_done(struct layer *layer)
{
	int *const slots[] = {&layer->image, &layer->work, &layer->lock, &layer->folder};

	if (layer->work >= 0)
		(void)file_remove_tree(layer->folder, layer->work_name, NULL);
	for (size_t i = 0; i < array_len(slots); i++) {
		int fd = steal_fd(slots[i]);

		if (fd >= 0)
			close(fd);
	}
}
