/*
 * Where values are kept: in the keychain, or where there is none in the encrypted file. SBX_STORE=keychain or
 * SBX_STORE=file decides it.
 */
#pragma once

#include "store/index.h"
#include "store/keychain.h"
#include "store/locker.h"

struct store {
	const struct paths *paths; /* borrowed */
	struct keychain keychain;
	struct locker locker;
	struct err keychain_err, locker_err; /* why, once it was found out */
	bool is_until_restart;               /* what was put is readable only so long */
	int keychain_state, locker_state;    /* 0: open; negative: why not; positive: not tried yet */
};

void store_init(struct store *store, const struct paths *paths);
void store_done(struct store *store);
#define auto_store __attribute__((cleanup(store_done)))

/* The value of that name, which is where the source says (not a command). */
int store_get(struct store *store, enum index_source source, const char *name, struct value *ret,
	      struct err *err);

/* Keeps it; *ret says where. */
int store_put(struct store *store, const char *name, const struct value *value, enum index_source *ret,
	      struct err *err);

int store_drop(struct store *store, enum index_source source, const char *name, struct err *err);

/* For a person: which one is used for what is set now. Fails with a sentence where none can be. */
int store_describe(struct store *store, struct buf *into, struct err *err);
