/*
 * The proxy's end of its channel to the vault: questions and answers (wire/chan.h). What is asked while there
 * is no vault, or too much at once, waits.
 */
#pragma once

#include "base/buf.h"
#include "wire/chan.h"

#include <uv.h>

struct vault;
struct vault_ask;

/* result: 0 or a negative errno; content is borrowed, and wiped afterwards. */
typedef void (*vault_done)(void *owner, int result, struct slice content);

int vault_new(uv_loop_t *loop, struct vault **ret);

/* Takes channel; what the last vault has not answered is asked again. */
int vault_connect(struct vault *vault, int channel);

/* done is called once, never before this has returned, and not after vault_cancel(). Copies body. */
int vault_ask(struct vault *vault, enum chan_kind kind, struct slice body, vault_done done, void *owner,
	      struct vault_ask **ret);
void vault_cancel(struct vault_ask *ask);
