/*
 * What a sandbox has in place of a credential: looks like one, is random for each sandbox, and stays the same
 * for as long as the sandbox lives. What continues from a sandbox (a fork, a snapshot) has its placeholders,
 * because the programs in it know them.
 */
#pragma once

#include "base/err.h"
#include "wire/secret.h"

enum { PLACEHOLDER_SEED_BYTES = 32, PLACEHOLDER_ROOM_BYTES = SECRET_FORMAT_MAX_BYTES + 64 };

/* Of the sandbox's folder. */
#define PLACEHOLDER_FILE_NAME "placeholders"

/* What all of a sandbox's are made from: read from its folder, or made there. */
int placeholder_seed(int dir, unsigned char ret[PLACEHOLDER_SEED_BYTES], struct err *err);

/* The one of a service. format holds one %s (secret_is_format()), or is empty: "%s". */
void placeholder_make(const unsigned char seed[PLACEHOLDER_SEED_BYTES], struct slice service,
		      struct slice format, char ret[PLACEHOLDER_ROOM_BYTES]);
