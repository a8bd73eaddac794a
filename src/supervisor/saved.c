#include "supervisor/saved.h"

#include "base/buf.h"
#include "base/fd.h"
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/stat.h>

enum { MANIFEST_MAX_BYTES = 4096, FORMAT_VERSION = 1, BODY_MAX_BYTES = 2048 };

static int make_id(char ret[SAVED_ID_BYTES])
{
	unsigned char bytes[(SAVED_ID_BYTES - 1) / 2];

	if (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes))
		return -EIO;
	for (size_t i = 0; i < sizeof(bytes); i++)
		snprintf(ret + 2 * i, 3, "%02x", bytes[i]);
	return 0;
}

void saved_make_key(const char *engine_key, const char *template_id, char ret[SAVED_MACHINE_BYTES])
{
	snprintf(ret, SAVED_MACHINE_BYTES, "%s.%s", engine_key, template_id);
}

/* -ENOENT as it is: some may be absent. */
static int length_of(int dir, const char *name, uint64_t *ret)
{
	struct stat info;

	*ret = 0;
	if (fstatat(dir, name, &info, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	*ret = (uint64_t)info.st_size;
	return S_ISREG(info.st_mode) ? 0 : -EUCLEAN;
}

static int digest_devices(int dir, char ret[HASH_TEXT_BYTES])
{
	autofd int fd = openat(dir, "devices", O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 ? -errno : hash_file(fd, ret);
}

int saved_describe(int saved_dir, struct saved *saved, struct err *err)
{
	int r = length_of(saved_dir, "devices", &saved->devices_bytes);

	r = r < 0 ? r : digest_devices(saved_dir, saved->devices_sha256);
	if (r == 0)
		r = length_of(saved_dir, "memory", &saved->memory_bytes);
	if (r == -ENOENT && saved->base[0])
		r = 0;
	if (r == 0 && !saved->base[0] && !saved->id[0])
		r = make_id(saved->id);
	return r < 0 ? err_errno(err, r, "cannot describe the saved state") : 0;
}

static int time_of_change(int fd, int64_t *ret_ns)
{
	struct stat info;

	if (fstat(fd, &info) < 0)
		return -errno;
	*ret_ns = (int64_t)info.st_mtim.tv_sec * 1000000000 + info.st_mtim.tv_nsec;
	return 0;
}

int saved_write(int saved_dir, int disk, struct saved *saved, struct err *err)
{
	char digest[HASH_TEXT_BYTES];
	auto_buf struct buf text = {0};
	json_t *json;
	char *body;
	int r = time_of_change(disk, &saved->disk_changed_ns);

	json = json_pack("{s:i, s:s, s:s, s:s, s:I, s:I, s:I, s:s, s:I}", "version", FORMAT_VERSION,
			 "machine", saved->machine, "id", saved->id, "base", saved->base, "memory_bytes",
			 (json_int_t)saved->memory_bytes, "base_bytes", (json_int_t)saved->base_bytes,
			 "devices_bytes", (json_int_t)saved->devices_bytes, "devices_sha256",
			 saved->devices_sha256, "disk_changed_ns", (json_int_t)saved->disk_changed_ns);
	body = json ? json_dumps(json, JSON_COMPACT) : NULL;
	json_decref(json);
	r = r < 0 ? r : body ? hash_bytes(slice_text(body), digest) : -ENOMEM;
	r = r < 0 ? r : buf_printf(&text, "%s\n%s\n", digest, body);
	free(body);
	r = r < 0 ? r : file_write_atomic(saved_dir, "manifest.json", 0600, buf_slice(&text), NULL);
	return r < 0 ? err_errno(err, r, "cannot write the description of the saved state") : 0;
}

static int copy_text(char *into, size_t room, const char *text)
{
	return snprintf(into, room, "%s", text) < (int)room ? 0 : -EUCLEAN;
}

static int parse(const char *body, size_t len, struct saved *ret)
{
	json_t *json = json_loadb(body, len, JSON_REJECT_DUPLICATES, NULL);
	const char *machine, *id, *base, *devices_sha256;
	json_int_t memory, base_bytes, devices, changed;
	int version, r = -EUCLEAN;

	if (json_unpack(json, "{s:i, s:s, s:s, s:s, s:I, s:I, s:I, s:s, s:I}", "version", &version, "machine",
			&machine, "id", &id, "base", &base, "memory_bytes", &memory, "base_bytes",
			&base_bytes, "devices_bytes", &devices, "devices_sha256", &devices_sha256,
			"disk_changed_ns", &changed) == 0 &&
	    version == FORMAT_VERSION) {
		*ret = (struct saved){.memory_bytes = (uint64_t)memory,
				      .base_bytes = (uint64_t)base_bytes,
				      .devices_bytes = (uint64_t)devices,
				      .disk_changed_ns = changed};
		r = copy_text(ret->machine, sizeof(ret->machine), machine);
		r = r < 0 ? r : copy_text(ret->id, sizeof(ret->id), id);
		r = r < 0 ? r : copy_text(ret->base, sizeof(ret->base), base);
		r = r < 0 ? r : copy_text(ret->devices_sha256, sizeof(ret->devices_sha256), devices_sha256);
	}
	json_decref(json);
	return r;
}

/* The first line is the digest of the second. */
static int read_manifest(int dir, struct saved *ret)
{
	auto_buf struct buf text = {0};
	char digest[HASH_TEXT_BYTES];
	const char *body, *end;
	int r = file_read(dir, "manifest.json", MANIFEST_MAX_BYTES, &text);

	if (r < 0)
		return r == -ENOENT || r == -EFBIG ? -EUCLEAN : r;
	body = strchr(buf_text(&text), '\n');
	end = body ? strchr(body + 1, '\n') : NULL;
	if (!end || body - buf_text(&text) != HASH_TEXT_BYTES - 1)
		return -EUCLEAN;
	body++;
	r = hash_bytes(slice_of(body, (size_t)(end - body)), digest);
	if (r == 0 && memcmp(digest, buf_text(&text), HASH_TEXT_BYTES - 1) != 0)
		r = -EUCLEAN;
	return r < 0 ? r : parse(body, (size_t)(end - body), ret);
}

static int check_length(int dir, const char *name, uint64_t expected, struct err *err)
{
	uint64_t length;
	int r = length_of(dir, name, &length);

	if (expected == 0 || (r == 0 && length == expected))
		return 0;
	return err_set(err, -EUCLEAN, "its file '%s' is %s", name, r == -ENOENT ? "missing" : "not whole");
}

static int check_disk(int sandbox_dir, const struct saved *saved, struct err *err)
{
	autofd int disk = openat(sandbox_dir, "disk.img", O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	int64_t changed = 0;
	int r = disk < 0 ? -errno : time_of_change(disk, &changed);

	if (r < 0)
		return err_errno(err, r, "cannot look at the disk");
	return changed == saved->disk_changed_ns ? 0 : err_set(err, -EUCLEAN, "the disk has changed since");
}

int saved_read(int sandbox_dir, const char *name, struct saved *ret, struct err *err)
{
	autofd int dir = openat(sandbox_dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	char digest[HASH_TEXT_BYTES];
	int r;

	if (dir < 0)
		return err_errno(err, -errno, "there is no saved state");
	r = read_manifest(dir, ret);
	if (r < 0)
		return err_set(err, r, "its description is damaged");
	r = check_length(dir, "devices", ret->devices_bytes, err);
	r = r < 0 ? r : check_length(dir, "memory", ret->memory_bytes, err);
	r = r < 0 ? r : check_length(sandbox_dir, "base", ret->base_bytes, err);
	r = r < 0 ? r : check_disk(sandbox_dir, ret, err);
	if (r < 0)
		return r;
	r = digest_devices(dir, digest);
	if (r < 0)
		return err_errno(err, r, "the state of its devices cannot be read");
	return strcmp(digest, ret->devices_sha256) == 0
		       ? 0
		       : err_set(err, -EUCLEAN, "the state of its devices is damaged");
}

int saved_read_base(int sandbox_dir, struct saved *ret)
{
	static const char *const names[] = {"saved", "resuming"};

	for (size_t i = 0; i < array_len(names); i++) {
		autofd int dir =
			openat(sandbox_dir, names[i], O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

		if (dir >= 0 && read_manifest(dir, ret) == 0)
			return 0;
	}
	return -ENOENT;
}
