/*
 * The encrypted file of secrets (<data>/secrets), for hosts without a keychain: names and values in one
 * secretbox of libsodium (XSalsa20 and Poly1305), mode 0600, replaced as a whole.
 */
#pragma once

#include "base/paths.h"
#include "store/locker-key.h"
#include "store/value.h"

enum { LOCKER_PLAIN_MAX_BYTES = 6 << 20 };

struct locker {
	int dir;
	struct locker_key key;
	char *plain; /* of sodium_malloc(): lines "NAME VALUE" */
	size_t len;
};

#define LOCKER_NONE ((struct locker){.dir = -1})

/*
 * Opens the file. For writing it is locked, and one that is not there begins as an empty one; for reading
 * that is -ENOENT.
 */
int locker_open(const struct paths *paths, bool for_writing, struct locker *ret, struct err *err);
void locker_close(struct locker *locker);
#define auto_locker __attribute__((cleanup(locker_close)))

/* Whether there is a file. */
bool locker_exists(const struct paths *paths);

/* False where there is none of that name. */
bool locker_get(const struct locker *locker, const char *name, struct slice *ret);

/* Writes the file. An empty value removes the name. */
int locker_set(struct locker *locker, const char *name, struct slice value, struct err *err);
