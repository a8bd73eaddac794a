#include "guest/ahead.h"

#include "base/mem.h"
#include "guest/handle.h"
#include "guest/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>

/* One call reads what one message holds, some twenty names; each look-up that was missed doubles the step. */
enum { FOLDERS = 16, STEPS_MAX = 32, ENTRIES_BYTES = 4096 };

struct folder {
	uint64_t dir;
	int fd; /* -1 when it has been read to its end */
	unsigned steps;
};

struct ahead {
	struct worker *worker;
	int root;
	struct folder folders[FOLDERS]; /* the thread's */
	unsigned next;
	uint64_t last; /* the caller's: the folder that was asked for last */
};

static struct folder *find(struct ahead *ahead, uint64_t dir)
{
	for (unsigned i = 0; i < FOLDERS; i++)
		if (ahead->folders[i].dir == dir)
			return &ahead->folders[i];
	return NULL;
}

static struct folder *begin(struct ahead *ahead, uint64_t dir)
{
	struct folder *folder = &ahead->folders[ahead->next++ % FOLDERS];

	if (folder->dir && folder->fd >= 0)
		close(folder->fd);
	*folder = (struct folder){
		.dir = dir, .fd = handle_open(ahead->root, dir, O_RDONLY | O_DIRECTORY), .steps = 1};
	return folder;
}

static void work(void *owner, struct slice item)
{
	struct ahead *ahead = owner;
	char entries[ENTRIES_BYTES];
	struct folder *folder;
	uint64_t dir;

	memcpy(&dir, item.ptr, sizeof(dir));
	folder = find(ahead, dir);
	if (!folder)
		folder = begin(ahead, dir);
	for (unsigned i = 0; folder->fd >= 0 && i < folder->steps; i++)
		if (syscall(SYS_getdents64, folder->fd, entries, sizeof(entries)) <= 0)
			close(steal_fd(&folder->fd));
	if (folder->steps < STEPS_MAX)
		folder->steps *= 2;
}

int ahead_new(int root, struct ahead **ret)
{
	struct ahead *ahead = calloc(1, sizeof(*ahead));
	int r = ahead ? 0 : -ENOMEM;

	if (r < 0)
		return r;
	ahead->root = root;
	r = worker_new(work, ahead, &ahead->worker);
	if (r < 0)
		free(ahead);
	else
		*ret = ahead;
	return r;
}

void ahead_looked(struct ahead *ahead, uint64_t dir)
{
	/* Where it has too much to do already, it would come too late. */
	(void)worker_push(ahead->worker, slice_of(&dir, sizeof(dir)));
}
