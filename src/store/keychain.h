/*
 * The desktop's keychain: the Secret Service of freedesktop.org over the user's message bus. Every call has a
 * limit, all of them together LIMIT_MS; a person who is asked to unlock it has longer.
 */
#pragma once

#include "base/paths.h"
#include "store/value.h"

#include <systemd/sd-bus.h>

enum { KEYCHAIN_LIMIT_MS = 5000, KEYCHAIN_PERSON_LIMIT_MS = 60000 };

struct keychain {
	sd_bus *bus;
	char *session;     /* owned: an object's path, as are all here */
	const char *place; /* borrowed: tells apart the secrets of two state folders */
	int64_t deadline_ms;
};

/*
 * -ENOENT where there is none: no bus, or nobody on it who keeps secrets. -ETIME where it does not answer.
 * Both with a sentence.
 */
int keychain_open(const struct paths *paths, struct keychain *ret, struct err *err);
void keychain_close(struct keychain *keychain);
#define auto_keychain __attribute__((cleanup(keychain_close)))

/*
 * -ENOENT where there is none of that name. -EACCES where the keychain is locked and nobody could or would
 * unlock it.
 */
int keychain_get(struct keychain *keychain, const char *name, struct value *ret, struct err *err);
int keychain_set(struct keychain *keychain, const char *name, const struct value *value, struct err *err);

/* None of that name is no error. */
int keychain_drop(struct keychain *keychain, const char *name, struct err *err);

/* Whether values can be put there: 0, -EACCES where it is locked, -ENOENT where it has no place for them.
 * Asks nobody. */
int keychain_check(struct keychain *keychain, struct err *err);
