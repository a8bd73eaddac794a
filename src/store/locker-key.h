/*
 * The key of the encrypted file of secrets. It is random and known to the kernel alone, until the machine
 * restarts; or it is made of a passphrase (Argon2id), which is asked once until then.
 */
#pragma once

#include "base/err.h"

#include <stdbool.h>

enum { LOCKER_KEY_BYTES = 32, LOCKER_SALT_BYTES = 16 };

enum locker_kind { LOCKER_KERNEL = 'k', LOCKER_PASSPHRASE = 'p' };

struct locker_key {
	enum locker_kind kind;
	unsigned char salt[LOCKER_SALT_BYTES];
	unsigned char *bytes; /* of sodium_malloc(); NULL before there is one */
};

void locker_key_done(struct locker_key *key);

/*
 * Makes one for a new file: with a passphrase where there is one to read (the file in SBX_PASSPHRASE_FILE) or
 * a person to ask who gives one, else for as long as the machine runs.
 */
int locker_key_make(struct locker_key *ret, struct err *err);

/* Finds the one of this kind and salt. *ret_is_fresh: it has come from a passphrase just now, and may be
 * wrong. */
int locker_key_find(struct locker_key *key, bool *ret_is_fresh, struct err *err);

/* Has the kernel remember it. */
int locker_key_remember(const struct locker_key *key);
