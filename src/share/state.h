/*
 * What the server has to know again when the guest continues from a saved state with another server: which
 * file each number means. A file is found again by its place when it is asked for, and must be the same one
 * (reach.h); what is not has gone for the guest: ESTALE. So has what had no name any more.
 */
#pragma once

#include "share/share.h"

/* Appends the state. */
int share_save(struct share *share, struct buf *into);

/*
 * Takes it over, before the first request. The text is checked as if the guest had written it: -EBADMSG, and
 * nothing is taken over.
 */
int share_load(struct share *share, struct slice state);
