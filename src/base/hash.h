/* SHA-256 of files, as lower-case hex. */
#pragma once

#include "base/slice.h"

enum { HASH_TEXT_BYTES = 65 };

/* Reads the file behind fd from its start, without moving its offset. */
int hash_file(int fd, char ret[HASH_TEXT_BYTES]);
int hash_bytes(struct slice bytes, char ret[HASH_TEXT_BYTES]);
