#include "store/placeholder.h"

#include "base/fd.h"
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>

enum { LOCK_LIMIT_S = 5, LETTERS = 36, HEX_BYTES = PLACEHOLDER_SEED_BYTES * 2 + 1 };

static int read_seed(int dir, unsigned char ret[PLACEHOLDER_SEED_BYTES])
{
	auto_buf struct buf text = {0};
	size_t len = 0;
	int r = file_read(dir, PLACEHOLDER_FILE_NAME, HEX_BYTES, &text);

	if (r < 0)
		return r;
	if (text.len != HEX_BYTES || sodium_hex2bin(ret, PLACEHOLDER_SEED_BYTES, buf_text(&text),
						    HEX_BYTES - 1, NULL, &len, NULL) != 0)
		return -EBADMSG;
	return len == PLACEHOLDER_SEED_BYTES ? 0 : -EBADMSG;
}

static int make_seed(int dir, unsigned char ret[PLACEHOLDER_SEED_BYTES], struct err *err)
{
	char text[HEX_BYTES + 1];

	randombytes_buf(ret, PLACEHOLDER_SEED_BYTES);
	sodium_bin2hex(text, HEX_BYTES, ret, PLACEHOLDER_SEED_BYTES);
	text[HEX_BYTES - 1] = '\n';
	return file_write_atomic(dir, PLACEHOLDER_FILE_NAME, 0600, slice_of(text, HEX_BYTES), err);
}

int placeholder_seed(int dir, unsigned char ret[PLACEHOLDER_SEED_BYTES], struct err *err)
{
	autofd int lock = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r = lock < 0 ? -errno : file_lock(lock, LOCK_LIMIT_S);

	if (r == 0 && sodium_init() < 0)
		r = -EIO;
	r = r < 0 ? r : read_seed(dir, ret);
	if (r == -ENOENT)
		return make_seed(dir, ret, err);
	return r < 0 ? err_errno(err, r, "cannot read the file '" PLACEHOLDER_FILE_NAME "' of the sandbox")
		     : 0;
}

/* 36 letters and digits are more than 200 bits. */
void placeholder_make(const unsigned char seed[PLACEHOLDER_SEED_BYTES], struct slice service,
		      struct slice format, char ret[PLACEHOLDER_ROOM_BYTES])
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
	const char *slot = format.len > 0 ? memmem(format.ptr, format.len, "%s", 2) : NULL;
	size_t head = slot ? (size_t)(slot - format.ptr) : 0;
	unsigned char random[LETTERS];
	char text[LETTERS + 1] = "";

	(void)crypto_generichash(random, sizeof(random), (const unsigned char *)service.ptr, service.len,
				 seed, PLACEHOLDER_SEED_BYTES);
	for (size_t i = 0; i < LETTERS; i++)
		text[i] = letters[random[i] % (sizeof(letters) - 1)];
	snprintf(ret, PLACEHOLDER_ROOM_BYTES, "%.*s%s%.*s", (int)head, format.ptr, text,
		 slot ? (int)(format.len - head - 2) : 0, slot ? slot + 2 : "");
}
