#include "store/locker.h"

#include "base/fd.h"
#include "base/file.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>

static const char file_name[] = "secrets";
static const char magic[] = "sbx-secrets 1\n";

enum {
	LOCK_LIMIT_S = 5,
	MAGIC_BYTES = sizeof(magic) - 1,
	HEAD_BYTES = MAGIC_BYTES + 1 + LOCKER_SALT_BYTES + crypto_secretbox_NONCEBYTES,
	FILE_MAX_BYTES = HEAD_BYTES + crypto_secretbox_MACBYTES + LOCKER_PLAIN_MAX_BYTES,
};

void locker_close(struct locker *locker)
{
	locker_key_done(&locker->key);
	sodium_free(locker->plain);
	locker->plain = NULL;
	if (locker->dir >= 0)
		close(steal_fd(&locker->dir));
}

static int open_dir(const struct paths *paths, struct err *err)
{
	int dir = file_open_dir(AT_FDCWD, paths->data);

	return dir < 0 ? err_errno(err, dir, "cannot open '%s'", paths->data) : dir;
}

bool locker_exists(const struct paths *paths)
{
	autofd int dir = open_dir(paths, NULL);

	return dir >= 0 && faccessat(dir, file_name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* ---- reading ---- */

static int decrypt(struct locker *locker, struct slice text, struct err *err)
{
	const unsigned char *bytes = (const unsigned char *)text.ptr;
	const unsigned char *nonce = bytes + HEAD_BYTES - crypto_secretbox_NONCEBYTES;
	bool is_fresh;
	int r;

	locker->key.kind = bytes[MAGIC_BYTES];
	memcpy(locker->key.salt, bytes + MAGIC_BYTES + 1, LOCKER_SALT_BYTES);
	r = locker_key_find(&locker->key, &is_fresh, err);
	if (r < 0)
		return r;
	locker->len = text.len - HEAD_BYTES - crypto_secretbox_MACBYTES;
	locker->plain = sodium_malloc(locker->len + 1);
	if (!locker->plain)
		return err_errno(err, -ENOMEM, "cannot hold the secrets");
	if (crypto_secretbox_open_easy((unsigned char *)locker->plain, bytes + HEAD_BYTES,
				       text.len - HEAD_BYTES, nonce, locker->key.bytes) != 0)
		return err_set(err, -EBADMSG,
			       is_fresh ? "the passphrase of the file of secrets is another one"
					: "the file of secrets is damaged: remove it and set the "
					  "secrets again");
	if (is_fresh)
		(void)locker_key_remember(&locker->key);
	return 0;
}

int locker_open(const struct paths *paths, bool for_writing, struct locker *ret, struct err *err)
{
	auto_buf struct buf text = {0};
	int r;

	*ret = LOCKER_NONE;
	ret->dir = open_dir(paths, err);
	if (ret->dir < 0)
		return ret->dir;
	r = for_writing ? file_lock(ret->dir, LOCK_LIMIT_S) : 0;
	if (r < 0)
		return err_errno(err, r, "cannot lock the folder of '%s/%s'", paths->data, file_name);
	r = file_read(ret->dir, file_name, FILE_MAX_BYTES, &text);
	if (r == -ENOENT && for_writing)
		return locker_key_make(&ret->key, err);
	if (r < 0)
		return err_errno(err, r, "cannot read '%s/%s'", paths->data, file_name);
	if (text.len < HEAD_BYTES + crypto_secretbox_MACBYTES ||
	    memcmp(buf_text(&text), magic, MAGIC_BYTES) != 0)
		return err_set(err, -EBADMSG, "'%s/%s' is no file of secrets", paths->data, file_name);
	r = decrypt(ret, buf_slice(&text), err);
	if (r != -ENOKEY || !for_writing || ret->key.kind != LOCKER_KERNEL)
		return r;
	/* Nobody can read it any more. */
	log_line("the key of the file of secrets was gone: what it held has to be set again");
	return locker_key_make(&ret->key, err);
}

static bool find(const struct locker *locker, const char *name, struct slice *ret_line)
{
	size_t name_len = strlen(name);

	for (size_t at = 0; at < locker->len;) {
		const char *line = locker->plain + at, *end = memchr(line, '\n', locker->len - at);
		size_t len = end ? (size_t)(end - line) + 1 : locker->len - at;

		if (len > name_len + 1 && memcmp(line, name, name_len) == 0 && line[name_len] == ' ') {
			*ret_line = slice_of(line, len);
			return true;
		}
		at += len;
	}
	return false;
}

bool locker_get(const struct locker *locker, const char *name, struct slice *ret)
{
	struct slice line;

	if (!find(locker, name, &line))
		return false;
	line = slice_skip(line, strlen(name) + 1);
	*ret = slice_of(line.ptr, line.len - (line.len > 0 && line.ptr[line.len - 1] == '\n'));
	return true;
}

/* ---- writing ---- */

static int write_file(struct locker *locker, struct err *err)
{
	size_t len = HEAD_BYTES + crypto_secretbox_MACBYTES + locker->len;
	autofree unsigned char *bytes = malloc(len);
	unsigned char *nonce;

	if (!bytes)
		return err_errno(err, -ENOMEM, "cannot write the secrets");
	memcpy(bytes, magic, MAGIC_BYTES);
	bytes[MAGIC_BYTES] = (unsigned char)locker->key.kind;
	memcpy(bytes + MAGIC_BYTES + 1, locker->key.salt, LOCKER_SALT_BYTES);
	nonce = bytes + HEAD_BYTES - crypto_secretbox_NONCEBYTES;
	randombytes_buf(nonce, crypto_secretbox_NONCEBYTES);
	(void)crypto_secretbox_easy(bytes + HEAD_BYTES, (const unsigned char *)locker->plain, locker->len,
				    nonce, locker->key.bytes);
	return file_write_atomic(locker->dir, file_name, 0600, slice_of(bytes, len), err);
}

static void put(char *into, size_t *at, struct slice bytes)
{
	if (bytes.len > 0)
		memcpy(into + *at, bytes.ptr, bytes.len);
	*at += bytes.len;
}

/* All but the line of that name, and one more. */
static int rewrite(struct locker *locker, const char *name, struct slice value)
{
	struct slice all = slice_of(locker->plain, locker->len), old = slice_of(locker->plain, 0);
	char *plain = sodium_malloc(locker->len + strlen(name) + value.len + 2);
	size_t before = 0, at = 0;

	if (!plain)
		return -ENOMEM;
	if (find(locker, name, &old))
		before = (size_t)(old.ptr - locker->plain);
	put(plain, &at, slice_of(all.ptr, before));
	put(plain, &at, slice_of(all.ptr + before + old.len, all.len - before - old.len));
	if (value.len > 0) {
		put(plain, &at, slice_text(name));
		put(plain, &at, slice_text(" "));
		put(plain, &at, value);
		put(plain, &at, slice_text("\n"));
	}
	sodium_free(locker->plain);
	locker->plain = plain;
	locker->len = at;
	return 0;
}

int locker_set(struct locker *locker, const char *name, struct slice value, struct err *err)
{
	int r;

	if (locker->len + value.len > LOCKER_PLAIN_MAX_BYTES)
		return err_set(err, -EFBIG, "the file of secrets is full");
	r = rewrite(locker, name, value);
	return r < 0 ? err_errno(err, r, "cannot hold the secrets") : write_file(locker, err);
}
