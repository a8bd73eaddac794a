/*
 * How it works
 *   The second look-up in a folder whose first one found something has the folder read. While its listing is
 * on the way, look-ups in it are held; those whose names it brings are answered from it, and the entry in the
 * listing is blanked, because the kernel would wait for that very look-up. The answers go out when the thread
 * has come back and the kernel knows the rest, so that who waited finds the neighbours there. All others are
 * asked then. Nothing is held but while a listing of our own is on the way: then its thread has the folder's
 * lock, and needs nothing but the host's answer. Held earlier or later, a look-up could wait for a thread
 * that waits for it. The caller's thread has all state. Each reading thread gets jobs and tells of each step
 * over a pipe.
 */
#include "guest/ahead.h"

#include "base/fd.h"
#include "guest/handle.h"
#include "guest/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/syscall.h>

enum {
	FOLDERS = 64,
	READERS = 8,
	HELD_MAX = 64,
	STEPS_MIN = 8,
	STEPS_MAX = 64,
	ENTRIES_BYTES = 4096,
	ENOUGH_FOUND = 1,
	ENOUGH_MAX = 1024,
};

struct held {
	struct held *next;
	uint64_t unique;
	bool is_answered;
	struct fuse_entry_out entry;
	size_t len;
	char name[];
};

struct folder {
	uint64_t dir;
	int fd;          /* -1 when it is to be opened; the reader's while it reads */
	unsigned found;  /* since it was read last */
	unsigned enough; /* of them, and it is read */
	unsigned steps;
	bool is_read, is_on_the_way, is_useful; /* useful: a look-up was answered while it was read */
	struct held *held;
	unsigned n_held;
};

struct reader {
	struct ahead *ahead;
	struct worker *worker;
	_Atomic pid_t tid; /* the kernel's requests for it carry that */
};

struct job {
	uint64_t dir;
	unsigned slot, steps;
	int fd;
};

/* Of one step. Sent over a pipe, whole. */
struct report {
	unsigned slot;
	int fd;
	bool is_last, is_end;
};

struct ahead {
	const struct ahead_ops *ops;
	void *owner;
	int root, out, in; /* out and in: the pipe's ends */
	struct reader readers[READERS];
	struct folder folders[FOLDERS];
	unsigned next;
	bool is_scanned; /* the last folder that was read was useful: the next is read at the first look-up */
};

/* ---- the readers' threads ---- */

static void read_folder(void *owner, struct slice item)
{
	struct reader *reader = owner;
	struct report report = {.is_last = false};
	char entries[ENTRIES_BYTES];
	struct job job;

	memcpy(&job, item.ptr, sizeof(job));
	reader->tid = (pid_t)syscall(SYS_gettid);
	if (job.fd < 0)
		job.fd = handle_open(reader->ahead->root, job.dir, O_RDONLY | O_DIRECTORY);
	while (!report.is_last) {
		report.is_end = job.fd < 0 || syscall(SYS_getdents64, job.fd, entries, sizeof(entries)) <= 0;
		report.is_last = report.is_end || --job.steps == 0;
		if (report.is_end && job.fd >= 0)
			close(steal_fd(&job.fd));
		report.slot = job.slot;
		report.fd = job.fd;
		(void)!write(reader->ahead->in, &report, sizeof(report));
	}
}

/* ---- what is held ---- */

static bool hold(struct folder *folder, uint64_t unique, struct slice name)
{
	struct held *held = folder->n_held < HELD_MAX ? malloc(sizeof(*held) + name.len) : NULL;

	if (!held)
		return false;
	*held = (struct held){.next = folder->held, .unique = unique, .len = name.len};
	memcpy(held->name, name.ptr, name.len);
	folder->held = held;
	folder->n_held++;
	return true;
}

static void let_go(struct ahead *ahead, struct folder *folder)
{
	struct held *held = folder->held;

	folder->held = NULL;
	folder->n_held = 0;
	while (held) {
		struct held *next = held->next;

		if (held->is_answered)
			ahead->ops->answer(ahead->owner, held->unique,
					   slice_of(&held->entry, sizeof(held->entry)));
		else
			ahead->ops->ask(ahead->owner, held->unique);
		free(held);
		held = next;
	}
}

/* One listed name answers one look-up: the server counts each as one reference of the kernel's. */
static bool answer(struct folder *folder, const struct fuse_entry_out *entry, struct slice name)
{
	for (struct held *held = folder->held; held; held = held->next)
		if (!held->is_answered && held->len == name.len &&
		    memcmp(held->name, name.ptr, name.len) == 0) {
			held->entry = *entry;
			held->is_answered = folder->is_useful = true;
			return true;
		}
	return false;
}

static void take_listing(struct folder *folder, char *at, size_t left)
{
	const size_t head_len = offsetof(struct fuse_direntplus, dirent.name);

	while (left > head_len) {
		struct fuse_direntplus plus;
		size_t len;

		memcpy(&plus, at, head_len);
		len = FUSE_DIRENT_ALIGN(head_len + plus.dirent.namelen);
		if (plus.dirent.namelen > left - head_len || len > left)
			return;
		if (plus.entry_out.nodeid &&
		    answer(folder, &plus.entry_out, slice_of(at + head_len, plus.dirent.namelen))) {
			plus.entry_out.nodeid = 0;
			memcpy(at, &plus, head_len);
		}
		at += len;
		left -= len;
	}
}

/* ---- folders ---- */

static struct folder *find(struct ahead *ahead, uint64_t dir)
{
	for (unsigned i = 0; i < FOLDERS; i++)
		if (ahead->folders[i].dir == dir)
			return &ahead->folders[i];
	return NULL;
}

static struct folder *make(struct ahead *ahead, uint64_t dir)
{
	struct folder *folder = &ahead->folders[ahead->next++ % FOLDERS];

	if (folder->is_read)
		return NULL;
	if (folder->fd >= 0)
		close(folder->fd);
	*folder = (struct folder){.dir = dir, .fd = -1, .enough = ENOUGH_FOUND, .steps = STEPS_MIN};
	return folder;
}

static void start_reading(struct ahead *ahead, struct folder *folder)
{
	unsigned slot = (unsigned)(folder - ahead->folders);
	const struct job job = {.dir = folder->dir, .slot = slot, .steps = folder->steps, .fd = folder->fd};

	folder->found = 0;
	folder->is_useful = false;
	folder->is_read =
		worker_push(ahead->readers[slot % READERS].worker, slice_of(&job, sizeof(job))) == 0;
	if (folder->steps < STEPS_MAX)
		folder->steps *= 2;
}

/* Where a folder was read to its end and is asked for all the same, reading it does not help. */
static void take_report(struct ahead *ahead, const struct report *report)
{
	struct folder *folder = &ahead->folders[report->slot % FOLDERS];

	folder->is_on_the_way = false;
	let_go(ahead, folder);
	if (!report->is_last)
		return;
	folder->is_read = false;
	ahead->is_scanned = folder->is_useful;
	folder->fd = report->fd;
	if (report->is_end && folder->enough < ENOUGH_MAX)
		folder->enough *= 2;
}

int ahead_turn(struct ahead *ahead)
{
	struct report report;
	ssize_t count;

	while ((count = read(ahead->out, &report, sizeof(report))) == sizeof(report))
		take_report(ahead, &report);
	return count < 0 && errno != EAGAIN && errno != EINTR ? -errno : 0;
}

/* ---- what passes ---- */

/* What the kernel asks on its own has no number, as a reader that has not begun. */
static bool is_reader(const struct ahead *ahead, uint32_t pid)
{
	for (unsigned i = 0; pid != 0 && i < READERS; i++)
		if ((uint32_t)ahead->readers[i].tid == pid)
			return true;
	return false;
}

bool ahead_asked(struct ahead *ahead, const struct fuse_in_header *head, struct slice message)
{
	struct folder *folder;

	if (head->opcode != FUSE_LOOKUP && head->opcode != FUSE_READDIRPLUS)
		return false;
	folder = find(ahead, head->nodeid);
	if (!folder && ahead->is_scanned && !is_reader(ahead, head->pid)) {
		folder = make(ahead, head->nodeid);
		if (folder)
			start_reading(ahead, folder);
		return false;
	}
	if (!folder)
		return false;
	if (is_reader(ahead, head->pid)) {
		folder->is_on_the_way = folder->is_read && head->opcode == FUSE_READDIRPLUS;
		return false;
	}
	if (head->opcode != FUSE_LOOKUP || message.len <= sizeof(*head))
		return false;
	if (folder->is_on_the_way)
		return hold(folder, head->unique,
			    slice_of(message.ptr + sizeof(*head), message.len - sizeof(*head) - 1));
	if (!folder->is_read && folder->found >= folder->enough)
		start_reading(ahead, folder);
	return false;
}

static void found(struct ahead *ahead, uint64_t dir)
{
	struct folder *folder = find(ahead, dir);

	if (!folder)
		folder = make(ahead, dir);
	if (folder)
		folder->found++;
}

void ahead_answered(struct ahead *ahead, const struct fuse_in_header *head, char *message, size_t len)
{
	struct fuse_out_header out;
	struct fuse_entry_out entry;
	struct folder *folder;

	memcpy(&out, message, sizeof(out));
	message += sizeof(out);
	len -= sizeof(out);
	if (head->opcode == FUSE_LOOKUP && out.error == 0 && len >= sizeof(entry) &&
	    !is_reader(ahead, head->pid)) {
		memcpy(&entry, message, sizeof(entry));
		if (entry.nodeid)
			found(ahead, head->nodeid);
	}
	if (head->opcode != FUSE_READDIRPLUS || !is_reader(ahead, head->pid))
		return;
	folder = find(ahead, head->nodeid);
	if (!folder)
		return;
	folder->is_on_the_way = false;
	if (out.error == 0)
		take_listing(folder, message, len);
}

int ahead_new(int root, const struct ahead_ops *ops, void *owner, struct ahead **ret)
{
	struct ahead *ahead = calloc(1, sizeof(*ahead));
	int ends[2];
	int r = ahead ? 0 : -ENOMEM;

	if (r == 0 && pipe2(ends, O_CLOEXEC) < 0)
		r = -errno;
	if (r < 0) {
		free(ahead);
		return r;
	}
	*ahead = (struct ahead){.ops = ops, .owner = owner, .root = root, .out = ends[0], .in = ends[1]};
	for (unsigned i = 0; i < FOLDERS; i++)
		ahead->folders[i].fd = -1;
	r = fd_set_nonblock(ahead->out);
	for (unsigned i = 0; r == 0 && i < READERS; i++) {
		ahead->readers[i].ahead = ahead;
		r = worker_new(read_folder, &ahead->readers[i], &ahead->readers[i].worker);
	}
	*ret = ahead;
	return r;
}

int ahead_fd(const struct ahead *ahead)
{
	return ahead->out;
}
