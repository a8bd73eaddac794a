#include "image/manifest.h"

#include "base/file.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <sys/stat.h>

enum { JSON_MAX_BYTES = 65536, NS_PER_SECOND = 1000000000 };

static const char manifest_name[] = "template.json";

static const char *const file_names[] = {
	[MANIFEST_KERNEL] = "kernel",
	[MANIFEST_MODULES] = "modules.cpio",
	[MANIFEST_BASE] = "base.img",
	[MANIFEST_LAYER] = "layer.img",
};
static_assert(array_len(file_names) == MANIFEST_FILES, "name every file");

const char *manifest_file_name(enum manifest_file file)
{
	return file_names[file];
}

bool manifest_has(const struct manifest *manifest, enum manifest_file file)
{
	return (file == MANIFEST_LAYER) == (manifest->base_id[0] != '\0');
}

static void json_done(json_t **json)
{
	json_decref(*json);
}
#define auto_json __attribute__((cleanup(json_done)))

static int copy_text(char *into, size_t room, const char *text)
{
	return snprintf(into, room, "%s", text) < (int)room ? 0 : -EUCLEAN;
}

static int parse(json_t *root, struct manifest *ret)
{
	const char *id, *kernel, *sha256, *base = "", *recipe = "";
	json_int_t version, created, size, mtime;
	json_t *files;

	if (json_unpack(root, "{s:I, s:s, s:s, s:I, s:o, s?s, s?s}", "version", &version, "id", &id,
			"kernel_version", &kernel, "created", &created, "files", &files, "base", &base,
			"recipe", &recipe) < 0)
		return -EUCLEAN;
	if (version != MANIFEST_VERSION || strlen(id) != MANIFEST_ID_BYTES - 1 ||
	    copy_text(ret->id, sizeof(ret->id), id) < 0 ||
	    copy_text(ret->kernel_version, sizeof(ret->kernel_version), kernel) < 0 ||
	    copy_text(ret->base_id, sizeof(ret->base_id), base) < 0 ||
	    copy_text(ret->recipe, sizeof(ret->recipe), recipe) < 0)
		return -EUCLEAN;
	ret->created = created;
	for (size_t i = 0; i < MANIFEST_FILES; i++) {
		struct manifest_entry *entry = &ret->files[i];

		if (!manifest_has(ret, i))
			continue;
		if (json_unpack(files, "{s:{s:I, s:I, s:s}}", file_names[i], "size", &size, "mtime_ns",
				&mtime, "sha256", &sha256) < 0 ||
		    size <= 0 || copy_text(entry->sha256, sizeof(entry->sha256), sha256) < 0)
			return -EUCLEAN;
		entry->size = (uint64_t)size;
		entry->mtime_ns = mtime;
	}
	return 0;
}

int manifest_read(int dir_fd, struct manifest *ret, struct err *err)
{
	auto_buf struct buf text = {0};
	auto_json json_t *root = NULL;
	struct manifest manifest = {0};
	int r = file_read(dir_fd, manifest_name, JSON_MAX_BYTES, &text);

	if (r == -ENOENT)
		return err_set(err, -ENOENT, "%s is missing", manifest_name);
	if (r == -EFBIG || r == -EINVAL || r == -ELOOP)
		return err_set(err, -EUCLEAN, "%s is not what it should be", manifest_name);
	if (r < 0)
		return err_errno(err, r, "cannot read %s", manifest_name);
	root = json_loadb(buf_text(&text), text.len, JSON_REJECT_DUPLICATES, NULL);
	if (!root || parse(root, &manifest) < 0)
		return err_set(err, -EUCLEAN, "%s cannot be understood", manifest_name);
	*ret = manifest;
	return 0;
}

static json_t *pack_files(const struct manifest *manifest)
{
	json_t *files = json_object();

	for (size_t i = 0; files && i < MANIFEST_FILES; i++) {
		const struct manifest_entry *entry = &manifest->files[i];

		if (!manifest_has(manifest, i))
			continue;
		json_object_set_new(files, file_names[i],
				    json_pack("{s:I, s:I, s:s}", "size", (json_int_t)entry->size, "mtime_ns",
					      (json_int_t)entry->mtime_ns, "sha256", entry->sha256));
	}
	return files;
}

int manifest_write(int dir_fd, const struct manifest *manifest, struct err *err)
{
	auto_json json_t *root =
		json_pack("{s:i, s:s, s:s, s:I, s:o}", "version", MANIFEST_VERSION, "id", manifest->id,
			  "kernel_version", manifest->kernel_version, "created",
			  (json_int_t)manifest->created, "files", pack_files(manifest));
	autofree char *text = NULL;

	if (root && manifest->base_id[0]) {
		json_object_set_new(root, "base", json_string(manifest->base_id));
		json_object_set_new(root, "recipe", json_string(manifest->recipe));
	}
	text = root ? json_dumps(root, JSON_INDENT(2)) : NULL;
	if (!text)
		return err_errno(err, -ENOMEM, "cannot write %s", manifest_name);
	return file_write_atomic(dir_fd, manifest_name, 0600, slice_text(text), err);
}

static int open_file(int dir_fd, enum manifest_file file, struct stat *ret_info)
{
	autofd int fd = openat(dir_fd, file_names[file], O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0 || fstat(fd, ret_info) < 0)
		return -errno;
	return S_ISREG(ret_info->st_mode) ? steal_fd(&fd) : -EINVAL;
}

static int64_t mtime_ns(const struct stat *info)
{
	return (int64_t)info->st_mtim.tv_sec * NS_PER_SECOND + info->st_mtim.tv_nsec;
}

int manifest_measure(int dir_fd, struct manifest *manifest, struct err *err)
{
	auto_buf struct buf all = {0};
	char digest[HASH_TEXT_BYTES];
	int r = 0;

	for (unsigned int i = 0; i < MANIFEST_FILES; i++) {
		struct manifest_entry *entry = &manifest->files[i];
		struct stat info = {0};
		autofd int fd = -1;

		if (!manifest_has(manifest, i))
			continue;
		fd = open_file(dir_fd, i, &info);
		r = fd < 0 ? fd : hash_file(fd, entry->sha256);
		if (r < 0)
			return err_errno(err, r, "cannot read %s", file_names[i]);
		entry->size = (uint64_t)info.st_size;
		entry->mtime_ns = mtime_ns(&info);
		r = buf_printf(&all, "%s %s\n", entry->sha256, file_names[i]);
		if (r < 0)
			return err_errno(err, r, "cannot measure the template");
	}
	if (manifest->base_id[0])
		r = buf_printf(&all, "%s base\n", manifest->base_id);
	r = r < 0 ? r : hash_bytes(buf_slice(&all), digest);
	if (r < 0)
		return err_errno(err, r, "cannot measure the template");
	memcpy(manifest->id, digest, MANIFEST_ID_BYTES - 1);
	manifest->id[MANIFEST_ID_BYTES - 1] = '\0';
	return 0;
}

int manifest_open_file(int dir_fd, const struct manifest *manifest, enum manifest_file file, struct err *err)
{
	const struct manifest_entry *entry = &manifest->files[file];
	struct stat info = {0};
	autofd int fd = open_file(dir_fd, file, &info);

	if (fd == -ENOENT)
		return err_set(err, -EUCLEAN, "%s is missing", file_names[file]);
	if (fd < 0)
		return err_errno(err, -EUCLEAN, "cannot open %s", file_names[file]);
	if ((uint64_t)info.st_size != entry->size)
		return err_set(err, -EUCLEAN, "%s has %lld bytes instead of %llu", file_names[file],
			       (long long)info.st_size, (unsigned long long)entry->size);
	if (mtime_ns(&info) != entry->mtime_ns)
		return err_set(err, -EUCLEAN, "%s was changed since it was built", file_names[file]);
	return steal_fd(&fd);
}
