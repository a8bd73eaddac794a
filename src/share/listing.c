#include "share/listing.h"

#include "share/ops.h"

#include <errno.h>
#include <fcntl.h>

/* What has just come that far; else any of the folder, to be moved there; else the one to be replaced. */
static struct listing *choose(struct share *share, uint64_t inode, uint64_t at)
{
	struct listing *best = &share->listings[0];

	for (size_t i = 0; i < share->n_listings; i++) {
		struct listing *listing = &share->listings[i];

		if (listing->inode == inode && listing->at == at)
			return listing;
		if (listing->inode == inode && at != 0)
			best = listing;
		else if (!(best->inode == inode && at != 0) && listing->used < best->used)
			best = listing;
	}
	return best;
}

static void close_listing(struct listing *listing)
{
	if (listing->inode)
		closedir(listing->dir);
	*listing = (struct listing){.inode = 0};
}

static int open_listing(struct share *share, struct inode *dir, struct listing *listing)
{
	int above = reach_fd(share, dir);
	int fd = above < 0 ? above : openat(above, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *opened;

	if (fd < 0)
		return above < 0 ? above : -errno;
	opened = fdopendir(fd);
	if (!opened) {
		close(fd);
		return -ENOMEM;
	}
	close_listing(listing);
	*listing = (struct listing){.inode = dir->id, .dir = opened};
	return 0;
}

int listing_get(struct share *share, struct inode *dir, uint64_t at, struct listing **ret)
{
	struct listing *listing = choose(share, dir->id, at);
	int r = 0;

	/* One who begins is to see the folder as it is now. */
	if (listing->inode != dir->id || at == 0)
		r = open_listing(share, dir, listing);
	if (r < 0)
		return r;
	if (listing->at != at)
		seekdir(listing->dir, (long)at);
	listing->at = at;
	listing->used = ++share->last_listing;
	*ret = listing;
	return 0;
}

void listing_close(struct share *share, const struct inode *dir)
{
	for (size_t i = 0; i < share->n_listings; i++)
		if (share->listings[i].inode == dir->id)
			close_listing(&share->listings[i]);
}
