/*
 * What secrets there are, without their values: <config>/secrets.json. Values are where `source` says.
 */
#pragma once

#include "base/paths.h"
#include "wire/secret.h"

#include <stdint.h>

enum { INDEX_MAX = 256, INDEX_SANDBOX_BYTES = 64, INDEX_COMMAND_MAX_BYTES = 4096 };

enum index_source { INDEX_KEYCHAIN, INDEX_FILE, INDEX_COMMAND };

/* "keychain", "file", "command" */
extern const char *const index_source_names[];

struct index_entry {
	char service[SECRET_SERVICE_MAX_BYTES + 1];
	char sandbox[INDEX_SANDBOX_BYTES]; /* empty: for all of them */
	enum index_source source;
	char *command;      /* owned; of INDEX_COMMAND, for sh -c */
	unsigned refresh_s; /* of INDEX_COMMAND: runs again after so long; 0: once for each start */
	int64_t since;      /* seconds since 1970 */
};

struct index {
	struct index_entry entries[INDEX_MAX];
	size_t count;
};

/* None there is an empty one. */
int index_load(const struct paths *paths, struct index *ret, struct err *err);
int index_save(const struct paths *paths, const struct index *index, struct err *err);
void index_done(struct index *index);

/* Nobody else changes it while the descriptor that is returned is open. */
int index_lock(const struct paths *paths, struct err *err);

/* Of that very scope; sandbox is "" for all of them. */
struct index_entry *index_find(struct index *index, const char *service, const char *sandbox);

/* What counts in that sandbox: its own, or else the one for all; NULL for none. */
struct index_entry *index_for(struct index *index, const char *service, const char *sandbox);

/* The entry of that scope, made if need be; NULL where there are too many. */
struct index_entry *index_put(struct index *index, const char *service, const char *sandbox, struct err *err);
void index_drop(struct index *index, struct index_entry *entry);

enum { INDEX_KEY_BYTES = SECRET_SERVICE_MAX_BYTES + INDEX_SANDBOX_BYTES + 2 };

/* What its value goes by in the stores: "openai", "openai@sandbox". */
void index_key(const char *service, const char *sandbox, char ret[INDEX_KEY_BYTES]);
