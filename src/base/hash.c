#include "base/hash.h"

#include "base/mem.h"

#include <errno.h>
#include <openssl/evp.h>

enum { STEP_BYTES = 8192 };

static void done(EVP_MD_CTX **context)
{
	EVP_MD_CTX_free(*context);
}

static int finish(EVP_MD_CTX *context, char *ret)
{
	static const char digits[] = "0123456789abcdef";
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned int len = 0;

	if (!EVP_DigestFinal_ex(context, digest, &len) || len * 2 + 1 != HASH_TEXT_BYTES)
		return -EIO;
	for (size_t i = 0; i < len; i++) {
		ret[i * 2] = digits[digest[i] >> 4];
		ret[i * 2 + 1] = digits[digest[i] & 15];
	}
	ret[HASH_TEXT_BYTES - 1] = '\0';
	return 0;
}

int hash_file(int fd, char ret[HASH_TEXT_BYTES])
{
	__attribute__((cleanup(done))) EVP_MD_CTX *context = EVP_MD_CTX_new();
	char step[STEP_BYTES];
	off_t at = 0;

	if (!context || !EVP_DigestInit_ex(context, EVP_sha256(), /* engine= */ NULL))
		return -ENOMEM;
	for (;;) {
		ssize_t count = pread(fd, step, sizeof(step), at);

		if (count < 0 && errno == EINTR)
			continue;
		if (count < 0)
			return -errno;
		if (count == 0)
			return finish(context, ret);
		if (!EVP_DigestUpdate(context, step, (size_t)count))
			return -EIO;
		at += count;
	}
}

int hash_bytes(struct slice bytes, char ret[HASH_TEXT_BYTES])
{
	__attribute__((cleanup(done))) EVP_MD_CTX *context = EVP_MD_CTX_new();

	if (!context || !EVP_DigestInit_ex(context, EVP_sha256(), /* engine= */ NULL))
		return -ENOMEM;
	if (!EVP_DigestUpdate(context, bytes.ptr, bytes.len))
		return -EIO;
	return finish(context, ret);
}
