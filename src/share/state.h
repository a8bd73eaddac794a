/*
 * What the server has to know again when the guest continues from a saved state with another server: which
 * file each number means, and what is open. A file is found again by its path and must be the same one:
 * device, inode number, time of birth. What is not has gone for the guest: ESTALE.
 */
#pragma once

#include "share/share.h"

/* Appends the state. */
int share_save(struct share *share, struct buf *into);

/*
 * Takes it over, right after share_new(). The text is checked as if the guest had written it: -EBADMSG, and
 * nothing is taken over. Gives how many files were not found again in *ret_lost.
 */
int share_load(struct share *share, struct slice state, size_t *ret_lost);
