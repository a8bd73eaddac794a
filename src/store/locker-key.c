#include "store/locker-key.h"

#include "store/prompt.h"
#include "store/value.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/keyctl.h>
#include <sodium.h>
#include <stdio.h>
#include <sys/syscall.h>

enum {
	NAME_BYTES = 8 + 2 * LOCKER_SALT_BYTES,
	PASSPHRASE_LIMIT_MS = 5000,
	/* Everything for whoever has it in a keyring; for other sessions of this user: view, read and search.
	 */
	PERMISSIONS = 0x3f0b0000,
};

#define PASSPHRASE_FILE "SBX_PASSPHRASE_FILE"

void locker_key_done(struct locker_key *key)
{
	sodium_free(key->bytes);
	key->bytes = NULL;
}

/* ---- the kernel's keyring of this user (keyrings(7)) ---- */

static void name_of(const struct locker_key *key, char ret[NAME_BYTES])
{
	char hex[2 * LOCKER_SALT_BYTES + 1];

	sodium_bin2hex(hex, sizeof(hex), key->salt, LOCKER_SALT_BYTES);
	snprintf(ret, NAME_BYTES, "sbx:%s", hex);
}

int locker_key_remember(const struct locker_key *key)
{
	char name[NAME_BYTES];
	long id;

	name_of(key, name);
	id = syscall(SYS_add_key, "user", name, key->bytes, (size_t)LOCKER_KEY_BYTES, KEY_SPEC_USER_KEYRING);
	if (id < 0)
		return -errno;
	(void)syscall(SYS_keyctl, KEYCTL_SETPERM, id, PERMISSIONS);
	return 0;
}

static int recall(struct locker_key *key)
{
	char name[NAME_BYTES];
	long id;

	name_of(key, name);
	id = syscall(SYS_keyctl, KEYCTL_SEARCH, KEY_SPEC_USER_KEYRING, "user", name, 0);
	if (id < 0)
		return -errno;
	return syscall(SYS_keyctl, KEYCTL_READ, id, key->bytes, (size_t)LOCKER_KEY_BYTES) == LOCKER_KEY_BYTES
		       ? 0
		       : -ENOKEY;
}

/* ---- passphrases ---- */

static int derive(struct locker_key *key, struct slice passphrase, struct err *err)
{
	if (!key->bytes ||
	    crypto_pwhash(key->bytes, LOCKER_KEY_BYTES, passphrase.ptr, passphrase.len, key->salt,
			  crypto_pwhash_OPSLIMIT_MODERATE, crypto_pwhash_MEMLIMIT_INTERACTIVE,
			  crypto_pwhash_ALG_ARGON2ID13) != 0)
		return err_errno(err, -ENOMEM, "cannot make a key of the passphrase");
	return 0;
}

static int read_passphrase(const char *path, struct value *ret, struct err *err)
{
	autofd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	int r = fd < 0 ? -errno : value_read(ret, fd, PASSPHRASE_LIMIT_MS);

	if (r < 0)
		return err_errno(err, r, "cannot read the passphrase from '%s' (" PASSPHRASE_FILE ")", path);
	if (ret->len > 0 && ret->bytes[ret->len - 1] == '\n')
		ret->len--;
	return ret->len > 0 ? 0 : err_set(err, -EINVAL, "'%s' (" PASSPHRASE_FILE ") is empty", path);
}

/* Gives one, or an empty one where there is none. */
static int obtain(const char *question, struct value *ret, struct err *err)
{
	const char *path = getenv(PASSPHRASE_FILE);

	ret->len = 0;
	if (path && *path)
		return read_passphrase(path, ret, err);
	return prompt_is_possible() ? prompt_ask(question, ret, err) : 0;
}

/* ---- keys ---- */

static int begin(struct locker_key *key, struct err *err)
{
	key->bytes = sodium_init() < 0 ? NULL : sodium_malloc(LOCKER_KEY_BYTES);
	return key->bytes ? 0 : err_errno(err, -ENOMEM, "cannot hold a key");
}

int locker_key_make(struct locker_key *ret, struct err *err)
{
	auto_value struct value passphrase = {0};
	int r = begin(ret, err);

	r = r < 0 ? r : value_init(&passphrase, err);
	if (r < 0)
		return r;
	randombytes_buf(ret->salt, LOCKER_SALT_BYTES);
	r = obtain("A passphrase for the file of secrets (none: they are kept until this machine restarts): ",
		   &passphrase, err);
	if (r < 0)
		return r;
	ret->kind = passphrase.len > 0 ? LOCKER_PASSPHRASE : LOCKER_KERNEL;
	if (passphrase.len > 0)
		r = derive(ret, value_slice(&passphrase), err);
	else
		randombytes_buf(ret->bytes, LOCKER_KEY_BYTES);
	if (r == 0 && locker_key_remember(ret) < 0 && ret->kind == LOCKER_KERNEL)
		r = err_set(err, -ENOKEY,
			    "this host has no kernel keyring to keep a key in: name a file with a passphrase "
			    "in " PASSPHRASE_FILE);
	return r;
}

int locker_key_find(struct locker_key *key, bool *ret_is_fresh, struct err *err)
{
	auto_value struct value passphrase = {0};
	int r = begin(key, err);

	*ret_is_fresh = false;
	if (r < 0 || recall(key) == 0)
		return r;
	if (key->kind == LOCKER_KERNEL)
		return err_set(err, -ENOKEY,
			       "the key of the file of secrets is gone, as it is when the machine was "
			       "restarted: set "
			       "the secrets again");
	r = value_init(&passphrase, err);
	r = r < 0 ? r : obtain("Passphrase of the file of secrets: ", &passphrase, err);
	if (r == 0 && passphrase.len == 0)
		r = err_set(err, -ENOKEY,
			    "the file of secrets has a passphrase: name a file that holds it "
			    "in " PASSPHRASE_FILE);
	*ret_is_fresh = true;
	return r < 0 ? r : derive(key, value_slice(&passphrase), err);
}
